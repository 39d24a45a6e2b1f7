"""Buckets in the memory of this process: what counts while Redis is away."""

import time
from collections.abc import Callable, Sequence

from gateway.limits.gcra import MICROSECONDS, Charge, admits

_MOST_BUCKETS = 100_000


def _monotonic() -> int:
    return int(time.monotonic() * MICROSECONDS)


class LocalBuckets:
    """At most 100 000; then the one spent from longest ago is forgotten, which never refuses anybody."""

    def __init__(self, *, clock: Callable[[], int] = _monotonic, most: int = _MOST_BUCKETS) -> None:
        """`clock` tells microseconds."""
        self._clock = clock
        self._most = most
        self._empty_at: dict[str, int] = {}

    def spend(self, charges: Sequence[Charge]) -> list[int]:
        """The levels before; one request was spent from each bucket if it fitted into all, else from none."""
        now = self._clock()
        levels = [charge.quota.level(self._empty_at.get(charge.key, 0), now) for charge in charges]
        if admits(charges, levels):
            for charge, level in zip(charges, levels, strict=True):
                self._empty_at.pop(charge.key, None)
                self._empty_at[charge.key] = now + level + charge.quota.interval
            while len(self._empty_at) > self._most:
                del self._empty_at[next(iter(self._empty_at))]
        return levels
