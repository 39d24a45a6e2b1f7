"""Headers in the document: those that requests may have, and those of answers."""

from gateway.forwarding import IDEMPOTENCY_KEY_PATTERN
from gateway.openapi.schemas import Schema
from servicekit.api_versions import HEADER, NEWEST

_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a repeated request answer like the first one, for 24 hours, and have no further"
    " effect (draft-ietf-httpapi-idempotency-key). With another request it is refused with 422, and with 409"
    " while the first one is being worked on. Make one up for each request, of at least 16 random bytes.",
    "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
}
_IF_MATCH: Schema = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the caller has read: the request is refused with 412 when there is a newer"
    " version by now (RFC 9110). It stands for `expected_version` in the body.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH: Schema = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags of answers that the caller has: 304 without a body when one holds (RFC 9110).",
    "schema": {"type": "string"},
}
_VERSION: Schema = {
    "name": HEADER,
    "in": "header",
    "description": "The version of this API. This document is of the newest one, and `/versions` lists all."
    " Without it an API key gets the version that it is pinned to, and everybody else the newest.",
    "schema": {"type": "string", "enum": [NEWEST]},
    "example": NEWEST,
}
PARAMETERS: dict[str, Schema] = {
    "IdempotencyKey": _IDEMPOTENCY_KEY,
    "IfMatch": _IF_MATCH,
    "IfNoneMatch": _IF_NONE_MATCH,
    "Version": _VERSION,
}
HEADERS: dict[str, Schema] = {
    HEADER: {
        "description": "The version of this answer.",
        "schema": {"type": "string", "format": "date"},
        "example": NEWEST,
    },
    "X-Request-Id": {
        "description": "Names the request, for questions to support: what it came with, if well-formed.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left (r) of each quota, and for how many seconds that has to do (t).",
        "schema": {"type": "string"},
        "example": '"anonymous";r=97;t=27',
    },
    "RateLimit-Policy": {
        "description": "The quotas that a request counts against: requests (q) in seconds (w)"
        " (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
        "example": '"anonymous";q=100;w=900',
    },
    "ETag": {
        "description": "Of this answer, for If-None-Match; for If-Match, too, where a change takes it.",
        "schema": {"type": "string"},
        "example": '"7-9f86d081884c7d659a2feaa0"',
    },
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"const": "true"},
    },
}


def parameter(name: str) -> Schema:
    """A reference to a header of requests."""
    return {"$ref": f"#/components/parameters/{name}"}


def headers(*names: str) -> dict[str, Schema]:
    """References to headers of answers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
