"""Refusals: a class each, with a canonical kind and a stable reason. Nothing else crosses the wire."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import grpc


class Kind(Enum):
    """What a refusal means to a caller: a canonical gRPC code and an HTTP status (AIP-193).

    INVALID breaks what the OpenAPI document says, UNPROCESSABLE keeps to it and yet could never be granted,
    REFUSED and its like could be granted in another state of things (docs/decisions/0016).
    """

    INVALID = (grpc.StatusCode.INVALID_ARGUMENT, 400)
    UNPROCESSABLE = (grpc.StatusCode.INVALID_ARGUMENT, 422)
    UNAUTHENTICATED = (grpc.StatusCode.UNAUTHENTICATED, 401)
    DENIED = (grpc.StatusCode.PERMISSION_DENIED, 403)
    NOT_FOUND = (grpc.StatusCode.NOT_FOUND, 404)
    EXISTS = (grpc.StatusCode.ALREADY_EXISTS, 409)
    CONFLICT = (grpc.StatusCode.ABORTED, 409)
    REFUSED = (grpc.StatusCode.FAILED_PRECONDITION, 409)
    GONE = (grpc.StatusCode.FAILED_PRECONDITION, 410)
    STALE = (grpc.StatusCode.FAILED_PRECONDITION, 412)
    PRECONDITION = (grpc.StatusCode.FAILED_PRECONDITION, 428)
    EXHAUSTED = (grpc.StatusCode.RESOURCE_EXHAUSTED, 429)
    METHOD = (grpc.StatusCode.UNIMPLEMENTED, 405)
    SLOW = (grpc.StatusCode.DEADLINE_EXCEEDED, 408)
    TOO_LARGE = (grpc.StatusCode.OUT_OF_RANGE, 413)
    MEDIA_TYPE = (grpc.StatusCode.INVALID_ARGUMENT, 415)
    HEADERS_TOO_LARGE = (grpc.StatusCode.OUT_OF_RANGE, 431)
    UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, 503)
    TOO_LATE = (grpc.StatusCode.DEADLINE_EXCEEDED, 504)
    INTERNAL = (grpc.StatusCode.INTERNAL, 500)

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC code."""
        return self.value[0]

    @property
    def http_status(self) -> int:
        """The HTTP status at the edge."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request. Never holds the value that was sent."""

    pointer: str
    """JSON Pointer (RFC 6901) into the request, like "/guest/email"."""
    message: str


RETRY_AFTER = "retry_after_seconds"
"""The metadata of a refusal that says when to come again (RFC 9110 §10.2.3)."""


class AppError(Exception):
    """A refusal that a caller may see. Subclasses name what happened and set the three class variables.

    `detail` is public text: it never holds input, personal data or secrets.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    detail: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self, *, violations: Sequence[Violation] = (), metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(self.reason)
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})


class InvalidRequest(AppError):
    """A field breaks a rule of the contract."""

    kind = Kind.INVALID
    reason = "INVALID_REQUEST"
    detail = "The request breaks a rule of the contract; see errors."


class InvalidPageToken(AppError):
    """The page token was made for another list, or not by us."""

    kind = Kind.UNPROCESSABLE
    reason = "INVALID_PAGE_TOKEN"
    detail = "The page token does not belong to this list."


class Unauthenticated(AppError):
    """The call needs a signed-in caller, and the token is missing, expired or not ours."""

    kind = Kind.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"
    detail = "A valid access token is required."


class PermissionDenied(AppError):
    """The caller is known but may not do this."""

    kind = Kind.DENIED
    reason = "PERMISSION_DENIED"
    detail = "Your role or API key does not allow this."


class FreshAuthenticationRequired(AppError):
    """Needs credentials of the last hour (operators: ten minutes): see reauthenticate. API keys have none."""

    kind = Kind.DENIED
    reason = "FRESH_AUTHENTICATION_REQUIRED"
    detail = "Confirm who you are first: your last log-in was too long ago."


class VenueNotFound(AppError):
    """No venue has this id or slug, or it is of another organization, or the caller is limited to others."""

    kind = Kind.NOT_FOUND
    reason = "VENUE_NOT_FOUND"
    detail = "There is no such venue."


class PlanLimitReached(AppError):
    """The plan of the organization allows no more of these; which and how many is in the metadata."""

    kind = Kind.REFUSED
    reason = "PLAN_LIMIT_REACHED"
    detail = "Your plan allows no more of these."


class IdempotencyKeyReused(AppError):
    """The Idempotency-Key was used before with another request (Idempotency-Key draft-07 §2.7)."""

    kind = Kind.UNPROCESSABLE
    reason = "IDEMPOTENCY_KEY_REUSED"
    detail = "This Idempotency-Key was used before with another request."


class IdempotencyKeyInFlight(AppError):
    """A request with this Idempotency-Key is being worked on (Idempotency-Key draft-07 §2.6)."""

    kind = Kind.CONFLICT
    reason = "IDEMPOTENCY_KEY_IN_FLIGHT"
    detail = "The first request with this Idempotency-Key is still being worked on. Ask again for its answer."


class VersionMismatch(AppError):
    """It has changed since the version that the caller expects (If-Match, RFC 9110 §13.1.1)."""

    kind = Kind.STALE
    reason = "VERSION_MISMATCH"
    detail = "This has changed since you read it. Read it again."


class Busy(AppError):
    """Somebody else is changing the same thing; trying again is safe."""

    kind = Kind.CONFLICT
    reason = "BUSY"
    detail = "Somebody else is changing the same thing. Try again."


class Unavailable(AppError):
    """A part that the call needs is down for the moment; trying again is safe."""

    kind = Kind.UNAVAILABLE
    reason = "UNAVAILABLE"
    detail = "This is not available at the moment. Try again."


class DeadlineExceeded(AppError):
    """The call ran out of time. It may or may not have had its effect."""

    kind = Kind.TOO_LATE
    reason = "DEADLINE_EXCEEDED"
    detail = "This took too long. Try again."


class Internal(AppError):
    """A defect of ours. Its text stays in the log."""


def catalogue() -> Iterator[type[AppError]]:
    """Every refusal class that is imported, by reason: what docs/errors.md lists."""
    pending = [AppError]
    found: dict[str, type[AppError]] = {}
    while pending:
        error = pending.pop()
        pending.extend(error.__subclasses__())
        if "reason" in error.__dict__ and error is not AppError:
            found[error.reason] = error
    found[Internal.reason] = Internal
    yield from (found[reason] for reason in sorted(found))
