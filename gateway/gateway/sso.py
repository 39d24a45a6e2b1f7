"""A browser's way to a log-in provider and back: redirects, and the cookie that binds them to one browser."""

import re
import secrets
from urllib.parse import quote

import fastapi
from fastapi import FastAPI
from fastapi.responses import Response

from comptoir.auth.v1 import sso_pb2, sso_pb2_grpc
from gateway.settings import LimitSettings
from servicekit.rpc.client import Peer

COOKIE = "__Host-comptoir-sso"
"""Only we, over TLS and for this very host, can have set it."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_TEN_MINUTES = 600
_OF_ADDRESSES = ":/?#[]@!$&'()*+,;=%~"
"""What may stand in an address besides letters and digits (RFC 3986 §2.2)."""


def add_sso(app: FastAPI, auth: Peer, limits: LimitSettings) -> None:
    """Adds the two routes. Everything is decided by auth; browsers are sent where it says."""
    stub = auth.stub(sso_pb2_grpc.SsoRedirectServiceStub)

    @app.get("/v1/auth/sso/{connection}/start")
    async def start(connection: str, request: fastapi.Request) -> Response:
        browser = _cookie(request) or secrets.token_urlsafe(32)
        asked = request.query_params
        message = sso_pb2.BeginSsoRequest(
            connection=connection,
            return_to=asked.get("return_to", ""),
            challenge=asked.get("challenge", ""),
            browser=browser,
        )
        answer = await auth.call(stub.BeginSso, message, timeout=limits.timeout_seconds)
        response = _redirect(answer.location)
        response.set_cookie(
            COOKIE, browser, max_age=_TEN_MINUTES, path="/", secure=True, httponly=True, samesite="lax"
        )
        return response

    @app.get("/v1/auth/sso/{connection}/callback")
    async def finish(connection: str, request: fastapi.Request) -> Response:
        told = request.query_params
        message = sso_pb2.FinishSsoRequest(
            connection=connection,
            state=told.get("state", ""),
            code=told.get("code", ""),
            issuer=told.get("iss", ""),
            error=told.get("error", "")[:200],
            browser=_cookie(request),
        )
        answer = await auth.call(stub.FinishSso, message, timeout=limits.timeout_seconds)
        return _redirect(answer.location)


def _cookie(request: fastapi.Request) -> str:
    """The secret of the browser; empty when it has none that we have made."""
    given = request.cookies.get(COOKIE, "")
    return given if _SECRET.fullmatch(given) else ""


def _redirect(location: str) -> Response:
    """To what auth says, as one header; whatever stands in our address is told to nobody."""
    headers = {
        "location": quote(location, safe=_OF_ADDRESSES),
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Response(status_code=302, headers=headers)
