"""The refusal of a request over a quota."""

from collections.abc import Sequence

from gateway.limits.headers import Standing
from servicekit.errors import RETRY_AFTER, AppError, Kind

PROBLEM_TYPE = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""Registered by draft-ietf-httpapi-ratelimit-headers-11."""


class RateLimited(AppError):
    """A quota is used up: see `violated-policies`, RateLimit and Retry-After. Nothing was done."""

    kind = Kind.EXHAUSTED
    reason = "RATE_LIMITED"
    detail = "Too many requests. Come again when Retry-After says."

    def __init__(self, standings: Sequence[Standing] = ()) -> None:
        violated = [each for each in standings if each.violated]
        super().__init__(metadata={RETRY_AFTER: str(max((each.wait for each in violated), default=1))})
        self.standings = tuple(standings)
        self.violated = [each.policy.name for each in violated]
