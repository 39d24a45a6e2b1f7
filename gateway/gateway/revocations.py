"""Sessions and keys that were revoked lately, asked of auth every few seconds: tokens end before `exp`."""

import time
from collections.abc import Callable, Collection
from uuid import UUID

from gateway.news import Fetch, News
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller

_KEPT_SECONDS = 3700.0
"""No access token holds longer; the gateway may forget by then."""


class Revocations(News[Collection[UUID]]):
    """What auth has revoked. While auth is down nothing is added: a token then holds until it expires."""

    def __init__(
        self, fetch: Fetch[Collection[UUID]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("revocations", fetch)
        self._clock = clock
        self._revoked: dict[UUID, float] = {}

    def refuse(self, caller: Caller) -> None:
        """Lets a caller pass whose session and key hold, as far as is known.

        Raises:
            Unauthenticated: one of them was revoked.
        """
        if caller.session in self._revoked or caller.key in self._revoked:
            raise Unauthenticated

    def take(self, found: Collection[UUID]) -> None:
        """Keeps them until no token of theirs can hold any more."""
        now = self._clock()
        self._revoked = {
            each: seen for each, seen in self._revoked.items() if now - seen < _KEPT_SECONDS
        } | dict.fromkeys(found, now)
