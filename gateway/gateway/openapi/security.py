"""How callers say who they are: the schemes, and which of them let somebody in."""

from gateway.cookies import ACCESS, SESSION
from gateway.openapi.schemas import Schema

SCHEMES: dict[str, Schema] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a person who has logged in; an operator's for `/v1/platform`.",
    },
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "cpt_live_… or cpt_test_…",
        "description": "An API key of the organization; one with `cpt_test_` acts in its sandbox.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": ACCESS,
        "description": "A browser that logged in with `Comptoir-Session: cookie`; two more go with it.",
    },
    "csrf_token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "Goes with the cookies in all that is no GET: what log-in and `/v1/auth/csrf` told.",
    },
    "session_cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION,
        "description": "The cookie of a browser's session that outlives its access token.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "Opens one stream, within half a minute: what `POST /v1/stream/tickets` told.",
    },
}

ANYBODY: Schema = {}
"""Lets in who says nothing."""


def by(*schemes: str) -> Schema:
    """Lets in who says all of these."""
    return {each: [] for each in schemes}


def ways(method: str, *, by_key: bool) -> list[Schema]:
    """What lets a person in, by access token or cookie, each alone; and, if `by_key`, an API key."""
    cookie = by("cookie") if method == "GET" else by("cookie", "csrf_token")
    return [by("bearer"), cookie, *([by("api_key")] if by_key else [])]
