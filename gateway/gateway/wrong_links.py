"""How many links that open nothing one address may try, in this process. Knows no link and no service."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.client_address import place
from gateway.errors import TooManyWrongLinks
from gateway.settings import LimitSettings
from servicekit.errors import RETRY_AFTER

_MOST_ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class _Level:
    """A bucket that leaks: how full it was, and when (seconds)."""

    wrong: float
    at: float


class WrongLinks:
    """Lets an address try `wrong_links` in a row, then one in each equal part of `wrong_link_seconds`.

    Only what a service did not know counts, so right links cost nothing. Requests under way together are
    counted once they are answered. Each process counts for itself.
    """

    def __init__(self, limits: LimitSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = limits.wrong_links
        self._seconds_each = limits.wrong_link_seconds / limits.wrong_links
        self._clock = clock
        self._levels: dict[str, _Level] = {}

    def refuse_guessing(self, address: str) -> None:
        """Lets an address try a link. Raises TooManyWrongLinks, which says when to come again."""
        over = self._level(place(address)) - (self._most - 1)
        if over > 0:
            seconds = math.ceil(over * self._seconds_each)
            raise TooManyWrongLinks(metadata={RETRY_AFTER: str(seconds)})

    def count(self, address: str) -> None:
        """A link that this address tried opened nothing."""
        network = place(address)
        wrong = min(self._level(network) + 1, self._most)
        self._levels.pop(network, None)
        while len(self._levels) >= _MOST_ADDRESSES:
            self._levels.pop(next(iter(self._levels)))  # the one that has not guessed for longest
        self._levels[network] = _Level(wrong, self._clock())

    def _level(self, network: str) -> float:
        level = self._levels.get(network)
        if level is None:
            return 0
        return max(0, level.wrong - (self._clock() - level.at) / self._seconds_each)
