"""What the gateway itself refuses, before any service hears of it."""

from servicekit.api_versions import VERSIONS
from servicekit.errors import AppError, Kind, Unavailable


class RouteNotFound(AppError):
    """No route has this path."""

    kind = Kind.NOT_FOUND
    reason = "NOT_FOUND"
    detail = "There is nothing at this path."


class MethodNotAllowed(AppError):
    """The path exists, but not with this method; the Allow header names those that do."""

    kind = Kind.METHOD
    reason = "METHOD_NOT_ALLOWED"
    detail = "This path does not take this method; see the Allow header."

    def __init__(self, allow: str) -> None:
        super().__init__()
        self.allow = allow


class MalformedRequest(AppError):
    """The request is not HTTP, names not one host, or is not addressed in percent-encoded UTF-8."""

    kind = Kind.INVALID
    reason = "MALFORMED_REQUEST"
    detail = "The request line, the headers or the address cannot be read."


class MalformedJson(AppError):
    """The body is not one JSON value, or says a name twice, or nests too deeply."""

    kind = Kind.INVALID
    reason = "MALFORMED_JSON"
    detail = "The body must be JSON in UTF-8: no name twice, no number too large, at most 32 levels deep."


class InvalidIdempotencyKey(AppError):
    """The Idempotency-Key is neither a quoted string nor a bare token of 1 to 255 visible characters."""

    kind = Kind.INVALID
    reason = "INVALID_IDEMPOTENCY_KEY"
    detail = "Idempotency-Key must hold 1 to 255 visible ASCII characters, bare or in double quotes."


class OriginNotAllowed(AppError):
    """A page that is not of an allowed origin would change something by the session cookie."""

    kind = Kind.DENIED
    reason = "ORIGIN_NOT_ALLOWED"
    detail = "Pages of this origin may not do that in the name of the session in the cookie."


class CsrfTokenRequired(AppError):
    """A change in the name of a session cookie came without the token of that session."""

    kind = Kind.DENIED
    reason = "CSRF_TOKEN_REQUIRED"
    detail = "With a session cookie, changes need the X-CSRF-Token of that session; see GET /v1/auth/csrf."


class UnknownVersion(AppError):
    """The Comptoir-Version is none of this API; metadata lists those that there are."""

    kind = Kind.INVALID
    reason = "UNKNOWN_VERSION"
    detail = f"Comptoir-Version must be one of {', '.join(VERSIONS)}."

    def __init__(self) -> None:
        super().__init__(metadata={"known_versions": " ".join(VERSIONS)})


class VersionGone(AppError):
    """The version, named by Comptoir-Version or pinned to the API key, is past its sunset."""

    kind = Kind.GONE
    reason = "VERSION_GONE"
    detail = "This version is no longer served; /versions lists those that are, and what changed."


class TooManyWrongLinks(AppError):
    """Too many links from this address opened nothing; metadata and Retry-After say when to come again."""

    kind = Kind.EXHAUSTED
    reason = "TOO_MANY_WRONG_LINKS"
    detail = "Too many links that are not valid were opened from here. Try again a little later."


class PayloadTooLarge(AppError):
    """The body is larger than this path takes."""

    kind = Kind.TOO_LARGE
    reason = "PAYLOAD_TOO_LARGE"
    detail = "The body is too large."


class UnsupportedMediaType(AppError):
    """The body is not declared as JSON, or it is compressed."""

    kind = Kind.MEDIA_TYPE
    reason = "UNSUPPORTED_MEDIA_TYPE"
    detail = "The body must be sent as application/json in UTF-8, uncompressed."


class RequestTimeout(AppError):
    """The headers or the body did not arrive in time."""

    kind = Kind.SLOW
    reason = "REQUEST_TIMEOUT"
    detail = "The request did not arrive in time."


class HeadersTooLarge(AppError):
    """The request line and the headers are larger than the gateway takes."""

    kind = Kind.HEADERS_TOO_LARGE
    reason = "HEADERS_TOO_LARGE"
    detail = "The request line and headers are too large."


class AddressNotAllowed(AppError):
    """The API key may be used from other networks only."""

    kind = Kind.DENIED
    reason = "ADDRESS_NOT_ALLOWED"
    detail = "This API key may not be used from your address."


class TooManyUnknownKeys(AppError):
    """Too many API keys that nobody knows came from one address in the last minute."""

    kind = Kind.EXHAUSTED
    reason = "TOO_MANY_UNKNOWN_KEYS"
    detail = "Too many unknown API keys came from your address. Try again in a minute."


class DailyQuotaSpent(AppError):
    """The API key made as many calls today, by UTC, as it may."""

    kind = Kind.EXHAUSTED
    reason = "DAILY_QUOTA_SPENT"
    detail = "This API key has made all its calls for today. The next day begins at midnight UTC."


class PreconditionRequired(AppError):
    """Several people edit this: the request must say which version it was made from (RFC 6585 §3)."""

    kind = Kind.PRECONDITION
    reason = "PRECONDITION_REQUIRED"
    detail = "Read this first and send its ETag as If-Match, so that nobody's change is lost."


class Overloaded(AppError):
    """As much is in flight or streaming as this process, a client or an organization may have."""

    kind = Kind.UNAVAILABLE
    reason = "OVERLOADED"
    detail = "Too much is going on at the moment. Try again shortly."


class ServiceUnavailable(Unavailable):
    """A service did not answer lately, so it is not asked for a moment; Retry-After says for how long."""

    reason = "SERVICE_UNAVAILABLE"
    detail = "A part of the platform does not answer at the moment. Try again shortly."
