"""The operations that are no RPC, described by hand: tickets, streams, CSRF token, an own domain's site."""

from types import MappingProxyType
from typing import Any

from comptoir.booking.v1 import venue_pb2
from gateway.openapi.headers import headers, parameter
from gateway.openapi.refusals import EVERYWHERE
from gateway.openapi.schemas import Schema, Schemas
from gateway.openapi.security import ANYBODY, by, ways

OPERATIONS = MappingProxyType(
    {
        ("POST", "/v1/stream/tickets"): "createStreamTicket",
        ("GET", "/v1/stream"): "openStream",
        ("GET", "/v1/auth/csrf"): "getCsrfToken",
        ("GET", "/v1/site"): "getSite",
    }
)
"""Their ids, by method and path."""

TAGS = (
    {"name": "Live", "description": "Hearing what happens, in place of asking for it."},
    {"name": "Site", "description": "What an organization's own domain shows."},
)
SCHEMAS: dict[str, Schema] = {
    "StreamTicket": {
        "type": "object",
        "description": "Opens one stream.",
        "properties": {
            "ticket": {
                "type": "string",
                "pattern": "^[A-Za-z0-9_-]{43}$",
                "description": "A secret: the parameter `ticket` of the stream.",
            },
            "expires_at": {
                "type": "string",
                "format": "date-time",
                "description": "From when on it opens nothing.",
            },
        },
        "required": ["ticket", "expires_at"],
    },
    "CsrfToken": {
        "type": "object",
        "description": "Proves that a page may act in the session of its browser.",
        "properties": {"csrf_token": {"type": "string", "description": "Goes into `X-CSRF-Token`."}},
        "required": ["csrf_token"],
    },
}
_MEMBERS = ("401", "403")
_ALWAYS = ("400", "410", "429", "500", "503", "504", "default")
_EVENT = """id: dc0ac47d7ce9.3
data: {"topic":"feed","epoch":"dc0ac47d7ce9","offset":3,"type":"booking.confirmed",\
"time":"2026-11-22T07:25:17.929653Z","data":{"booking":{"booking_id":"bkg_01kas3x8e9fv6r2m7c5tqwbn4h"}}}

"""
_TOPICS: Schema = {
    "name": "topics",
    "in": "query",
    "required": True,
    "schema": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "description": "What to hear: `venue:ven_…`, `ticket:tkt_…` or `feed`. At most 20, unless the"
    " installation says otherwise. It begins when one of them does.",
}
_LAST_EVENT_ID: Schema = {
    "name": "last_event_id",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "The same as `Last-Event-ID`, for who cannot set headers.",
}
_LAST_EVENT_ID_HEADER: Schema = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The id of the last event that was read: the stream goes on behind it.",
}


def paths(schemas: Schemas) -> dict[str, dict[str, Any]]:
    """The paths of the document. It adds the schemas that they refer to."""
    schemas.named |= SCHEMAS
    described = {
        "createStreamTicket": _ticket(),
        "openStream": _stream(),
        "getCsrfToken": _csrf(),
        "getSite": _site(schemas),
    }
    found: dict[str, dict[str, Any]] = {}
    for (method, path), name in OPERATIONS.items():
        found.setdefault(path, {})[method.lower()] = {"operationId": name, **described[name]}
    return found


def _ticket() -> Schema:
    about = (
        "Makes a ticket that opens one stream, within half a minute",
        "So an access token is never in an address. The stream is of whoever asks for the ticket.",
    )
    made = _json("The ticket.", {"$ref": "#/components/schemas/StreamTicket"})
    return _operation("Live", about, ways("POST", by_key=True)) | {
        "responses": {"201": made} | _refusals(*_MEMBERS)
    }


def _stream() -> Schema:
    more = (
        "It has no end but that of its credentials. The same address is a WebSocket (RFC 6455), which takes"
        " up and leaves topics by messages and has no parameter but `ticket`; see Live in docs/api.md."
    )
    about = "Opens a stream of what happens, as server-sent events", more
    security = [by("ticket"), *ways("GET", by_key=True)]
    opened = {
        "description": "Events until it ends, and a comment now and then. Each `data` is a JSON object.",
        "headers": EVERYWHERE,
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EVENT}},
    }
    return _operation("Live", about, security, _TOPICS, _LAST_EVENT_ID, _LAST_EVENT_ID_HEADER) | {
        "responses": {"200": opened} | _refusals(*_MEMBERS, "404")
    }


def _csrf() -> Schema:
    about = (
        "Tells the CSRF token of a browser's session",
        "For a page that was loaded anew, and has the session in cookies alone.",
    )
    found = _json("The token.", {"$ref": "#/components/schemas/CsrfToken"})
    return _operation("Session", about, [by("session_cookie")], parameter("IfNoneMatch")) | {
        "responses": _read(found) | _refusals("401")
    }


def _site(schemas: Schemas) -> Schema:
    about = (
        "Lists the venues of the organization whose domain is called, and how it looks",
        "The `Host` decides, not who calls: any host but a verified domain answers 404.",
    )
    found = _json("Venues and look.", schemas.answer(venue_pb2.ListSiteVenuesResponse.DESCRIPTOR))
    return _operation("Site", about, [ANYBODY], parameter("IfNoneMatch")) | {
        "responses": _read(found) | _refusals("404")
    }


def _operation(tag: str, about: tuple[str, str], security: list[Schema], *parameters: Schema) -> Schema:
    summary, more = about
    return {
        "tags": [tag],
        "summary": summary,
        "description": f"{summary}. {more}",
        "security": security,
        "parameters": [*parameters, parameter("Version")],
    }


def _json(said: str, schema: Schema) -> Schema:
    return {"description": said, "headers": EVERYWHERE, "content": {"application/json": {"schema": schema}}}


def _read(found: Schema) -> Schema:
    """The answers of a read."""
    unchanged = {"description": "Nothing has changed.", "headers": headers("ETag")}
    return {"200": found | {"headers": found["headers"] | headers("ETag")}, "304": unchanged}


def _refusals(*statuses: str) -> Schema:
    wanted = sorted({*statuses, *_ALWAYS})
    return {status: {"$ref": f"#/components/responses/Problem{status}"} for status in wanted}
