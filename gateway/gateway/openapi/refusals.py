"""Problems in the document: what each status means, which reasons have it, and an example."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from gateway import problems
from gateway.openapi.headers import headers

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Names the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What to do about it."},
        "reason": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "Stable; for programs."},
        "errors": {
            "type": "array",
            "description": "What is wrong with the request, place by place.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901)."},
                    "message": {"type": "string"},
                },
                "required": ["pointer", "message"],
            },
        },
        "request_id": {"type": "string", "description": "For questions to support."},
        "violated-policies": {
            "type": "array",
            "description": "The quotas that are used up, as RateLimit-Policy names them.",
            "items": {"type": "string"},
        },
        "metadata": {
            "type": "object",
            "description": "What a program needs beside the reason, as the reason's own page says.",
            "additionalProperties": {"type": "string"},
        },
    },
    "required": ["type", "title", "status", "detail", "reason", "errors", "request_id"],
}
PROBLEMS = {
    "400": "The request cannot be read or breaks a rule of the contract.",
    "401": "The access token is missing, expired or not ours.",
    "403": "The caller's role or API key does not allow this.",
    "404": "There is nothing by this name, or it is somebody else's.",
    "408": "The body did not arrive in time.",
    "409": "The state of things does not allow this, or has changed meanwhile.",
    "410": "The version that was named, or that the key is pinned to, is past its sunset.",
    "412": "This has changed since the version in If-Match, or has no version to compare with.",
    "413": "The body is too large.",
    "415": "The body is not declared as JSON.",
    "422": "The request keeps to this document, but a rule that no schema can say refuses it; see reason.",
    "428": "Several people edit this: If-Match is missing.",
    "429": "Too many requests, or too many wrong guesses; see Retry-After.",
    "500": "A defect on our side.",
    "503": "A part is down for the moment; see Retry-After.",
    "504": "A part did not answer in time.",
    "default": "Any other refusal.",
}
EVERYWHERE = headers("Comptoir-Version", "X-Request-Id", "RateLimit", "RateLimit-Policy")
"""What every answer may carry."""
_MORE: dict[str, dict[str, Any]] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "429": {"Retry-After": {"schema": {"type": "integer", "minimum": 0}}},
    "503": {"Retry-After": {"schema": {"type": "integer", "minimum": 0}}},
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A refusal as callers meet it."""

    status: int
    reason: str
    detail: str


_TYPICAL = {
    400: "INVALID_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "BOOKING_NOT_FOUND",
    409: "SLOT_TAKEN",
    412: "VERSION_MISMATCH",
    428: "PRECONDITION_REQUIRED",
    429: "RATE_LIMITED",
    503: "UNAVAILABLE",
}
_REQUEST_ID = "0199a1c2-7d3e-7b4a-9c5d-2e6f8a1b3c4d"


def problem(status: str, catalogue: Collection[Reason]) -> dict[str, Any]:
    """The response of one status, or of all others."""
    known = [each for each in catalogue if str(each.status) == status]
    reasons = f" Reasons: {', '.join(f'`{each.reason}`' for each in known)}." if known else ""
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if known:
        typical = next((each for each in known if each.reason == _TYPICAL.get(each.status)), known[0])
        content["example"] = _example(typical)
    described: dict[str, Any] = {
        "description": PROBLEMS[status] + reasons,
        "headers": EVERYWHERE | _MORE.get(status, {}),
        "content": {problems.MEDIA_TYPE.decode(): content},
    }
    return described


def _example(reason: Reason) -> dict[str, Any]:
    pointed = [{"pointer": "/party_size", "message": "must be greater than or equal to 1"}]
    return {
        "type": f"/errors/{reason.reason}",
        "title": reason.reason.replace("_", " ").capitalize(),
        "status": reason.status,
        "detail": reason.detail,
        "reason": reason.reason,
        "errors": pointed if reason.reason == _TYPICAL[400] else [],
        "request_id": _REQUEST_ID,
    }
