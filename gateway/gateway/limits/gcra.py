"""The generic cell rate algorithm: one rule for the script in Redis and for the process alone. Pure.

A bucket is one number, the moment at which it is empty again. All times are whole microseconds, which a
double of Lua holds exactly, so that both decide alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests at once, which come back evenly over so many seconds."""

    most: int
    seconds: int
    interval: int = field(init=False)
    """Microseconds until one request comes back."""
    full: int = field(init=False)
    """Microseconds until a bucket that is full is empty."""

    def __post_init__(self) -> None:
        """Raises ValueError for a quota of none, or one finer than a microsecond."""
        if self.most < 1 or self.seconds < 1 or self.most > self.seconds * MICROSECONDS:
            message = "a quota is at least one request in at least one second, and at most a million in each"
            raise ValueError(message)
        interval = self.seconds * MICROSECONDS // self.most
        object.__setattr__(self, "interval", interval)
        object.__setattr__(self, "full", interval * self.most)

    def level(self, empty_at: int, now: int) -> int:
        """How full a bucket is, in microseconds. Never over the brim, however clocks and settings changed."""
        return min(max(empty_at - now, 0), self.full)

    def fits(self, level: int) -> bool:
        """Whether one request more does."""
        return level + self.interval <= self.full

    def left(self, level: int) -> int:
        """How many requests more do."""
        return (self.full - level) // self.interval

    def wait(self, level: int) -> int:
        """Whole seconds, rounded up, until one request fits."""
        return -(-max(level + self.interval - self.full, 0) // MICROSECONDS)


class Charge(NamedTuple):
    """One request, at one bucket."""

    key: str
    quota: Quota


def admits(charges: Iterable[Charge], levels: Iterable[int]) -> bool:
    """Whether a request fits into all of its buckets; if not, it is spent from none."""
    return all(charge.quota.fits(level) for charge, level in zip(charges, levels, strict=True))
