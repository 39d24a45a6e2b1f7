"""RateLimit-Policy and RateLimit, as draft-ietf-httpapi-ratelimit-headers-11 has them. Only this knows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.limits.gcra import MICROSECONDS, Quota

_Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Policy:
    """A quota by its name, which is public."""

    name: str
    quota: Quota
    shown: bytes = field(init=False)

    def __post_init__(self) -> None:
        """The name is a string of Structured Fields."""
        shown = f'"{self.name}";q={self.quota.most};w={self.quota.seconds}'
        object.__setattr__(self, "shown", shown.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Standing:
    """How a request stands with one policy, after it was counted or refused."""

    policy: Policy
    level: int
    """Of the bucket, in microseconds."""
    violated: bool = False
    """Whether this policy refused it."""

    @property
    def wait(self) -> int:
        """Whole seconds, at least 1, until one request fits: Retry-After."""
        return max(1, self.policy.quota.wait(self.level))

    @property
    def shown(self) -> bytes:
        """An item of RateLimit. `t` is when the whole quota is back; once nothing is left, when one fits."""
        left = self.policy.quota.left(self.level)
        seconds = -(-self.level // MICROSECONDS) if left else self.wait
        return b'"%s";r=%d;t=%d' % (self.policy.name.encode("ascii"), left, seconds)


def rate_limit_headers(standings: Sequence[Standing]) -> tuple[_Header, ...]:
    """Both headers; none for a request that nothing limits."""
    if not standings:
        return ()
    return (
        (b"ratelimit-policy", b", ".join([each.policy.shown for each in standings])),
        (b"ratelimit", b", ".join([each.shown for each in standings])),
    )
