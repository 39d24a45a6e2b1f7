"""What pages of other origins may ask and read (CORS, by the Fetch standard). Never "*"."""

from dataclasses import replace
from uuid import UUID

from gateway.http import Answer, Header, Request, safe
from gateway.sites import Sites

CSRF_HEADER = b"x-csrf-token"
SESSION_HEADER = b"comptoir-session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_LOCAL = (b"localhost", b"127.0.0.1", b"[::1]")
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = (
    b"authorization, content-type, comptoir-session, comptoir-version, idempotency-key, if-match, "
    b"if-none-match, last-event-id, traceparent, x-csrf-token, x-request-id"
)
_EXPOSED = (
    b"Comptoir-Version, Content-Disposition, Deprecation, ETag, Idempotency-Replayed, Link, Location, "
    b"RateLimit, RateLimit-Policy, Retry-After, Sunset, X-Request-Id"
)
_MAX_AGE = b"600"
"""Seconds that a browser keeps what it heard; Chromium keeps nothing for longer than two hours."""
_ASKED = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


class Cors:
    """Judges origins by what organizations allow."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    def preflight(self, request: Request) -> Answer | None:
        """The answer to a browser that asks first; None when it does not, or its origin is nobody's."""
        if request.method != "OPTIONS" or b"access-control-request-method" not in request.headers:
            return None
        origin = request.headers.get(b"origin")
        if origin is None or not self.allows(origin, None):
            return None
        headers: list[Header] = [
            *_allowing(origin),
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", _MAX_AGE),
            (b"vary", _ASKED),
        ]
        return Answer(204, safe(headers))

    def allows(self, origin: bytes, organization: UUID | None) -> bool:
        """Whether the organization allows an origin; without one: whether any does.

        Exactly as it was written: "null", another case, a path, a user name or another port is another text.
        """
        known = self._sites.allowing(origin.decode("latin-1"))
        return organization in known if organization is not None else bool(known)

    def open_up(self, request: Request, answer: Answer) -> Answer:
        """The answer with leave to read it, where the caller's organization allows the origin."""
        origin = request.headers.get(b"origin")
        if origin is None:
            return vary(answer, b"Origin, Cookie") if _is_shared(answer) else answer
        answer = vary(answer, b"Origin, Cookie" if _is_shared(answer) else b"Origin")
        if not self.allows(origin, request.note.organization):
            return answer
        leave = (*_allowing(origin), (b"access-control-expose-headers", _EXPOSED))
        return replace(answer, headers=(*answer.headers, *leave))


def is_own(origin: bytes, host: bytes) -> bool:
    """Whether a page of this very host sent it: by https, or on the machine itself."""
    scheme, _, authority = origin.partition(b"://")
    if not host or authority != host.lower():
        return False
    return scheme == b"https" or (scheme == b"http" and host.lower().rpartition(b":")[0] in _LOCAL)


def vary(answer: Answer, names: bytes) -> Answer:
    """The answer with more names in Vary (RFC 9110 §12.5.5): caches keep one answer for each."""
    others = [header for header in answer.headers if header[0] != b"vary"]
    there = [value for name, value in answer.headers if name == b"vary"]
    return replace(answer, headers=(*others, (b"vary", b", ".join([*there, names]))))


def _is_shared(answer: Answer) -> bool:
    """Whether caches that many share may keep it."""
    return any(name == b"cache-control" and value.startswith(b"public") for name, value in answer.headers)


def _allowing(origin: bytes) -> tuple[Header, Header]:
    return (b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")
