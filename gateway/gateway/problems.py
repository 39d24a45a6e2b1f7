"""Refusals as RFC 9457 problem details. Holds no input value and no stack trace."""

import orjson

from gateway.errors import MethodNotAllowed
from gateway.http import Answer, Header, safe
from gateway.limits.refusal import PROBLEM_TYPE, RateLimited
from servicekit.errors import RETRY_AFTER, AppError, Kind

MEDIA_TYPE = b"application/problem+json"
_MOST_ERRORS = 50
_RETRY_AFTER_SECONDS = "1"
_TYPES = {"OVERLOADED": "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"}
"""Kinds of problems that others have named."""


def answer(error: AppError, request_id: str) -> Answer:
    """The answer to a refused request."""
    status = error.kind.http_status
    more: dict[str, object] = {"metadata": error.metadata} if error.metadata else {}
    if isinstance(error, RateLimited):
        more |= {"type": PROBLEM_TYPE, "violated-policies": error.violated}
    body = orjson.dumps(
        {
            "type": _TYPES.get(error.reason) or f"/errors/{error.reason}",
            "title": error.reason.replace("_", " ").capitalize(),
            "status": status,
            "detail": error.detail,
            "reason": error.reason,
            "errors": [
                {"pointer": violation.pointer, "message": violation.message}
                for violation in error.violations[:_MOST_ERRORS]
            ],
            "request_id": request_id,
            **more,
        }
    )
    return Answer(status, safe([(b"content-type", MEDIA_TYPE), *_extra(error)]), body)


def _extra(error: AppError) -> list[Header]:
    match error.kind:
        case Kind.UNAUTHENTICATED:
            return [(b"www-authenticate", b'Bearer realm="comptoir"')]
        case Kind.UNAVAILABLE:
            return [(b"retry-after", error.metadata.get(RETRY_AFTER, _RETRY_AFTER_SECONDS).encode())]
        case Kind.EXHAUSTED | Kind.CONFLICT if RETRY_AFTER in error.metadata:
            return [(b"retry-after", error.metadata[RETRY_AFTER].encode())]
        case Kind.TOO_LARGE | Kind.SLOW:
            return [(b"connection", b"close")]
    return [(b"allow", error.allow.encode())] if isinstance(error, MethodNotAllowed) else []
