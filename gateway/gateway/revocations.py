"""Sessions and keys that were revoked lately, asked of auth every few seconds: tokens end before `exp`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import TypeAlias
from uuid import UUID

from servicekit import telemetry
from servicekit.errors import AppError, Unauthenticated
from servicekit.identity import Caller

Moment: TypeAlias = float
"""Epoch seconds by auth's clock."""
Fetch = Callable[[Moment | None], Awaitable[tuple[Collection[UUID], Moment]]]
"""Asks auth what was revoked since a moment, and when auth looked. Raises AppError."""

_INTERVAL_SECONDS = 2.0
_OVERLAP_SECONDS = 30.0
"""Longer than a transaction lasts: what was revoked before we asked may be committed after."""
_KEPT_SECONDS = 3700.0
"""No access token holds longer; the gateway may forget by then."""

_log = telemetry.logger(__name__)


class Revocations:
    """What auth has revoked. While auth is down nothing is added: a token then holds until it expires."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._revoked: dict[UUID, float] = {}
        self._as_of: Moment | None = None
        self._reachable = True

    def refuse(self, caller: Caller) -> None:
        """Lets a caller pass whose session and key hold, as far as is known.

        Raises:
            Unauthenticated: one of them was revoked.
        """
        if caller.session in self._revoked or caller.key in self._revoked:
            raise Unauthenticated

    async def keep_fresh(self) -> None:
        """Asks every two seconds. Ends by being cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def refresh(self) -> None:
        """Asks once for what is new. When auth does not answer, everything stays as it was."""
        since = None if self._as_of is None else self._as_of - _OVERLAP_SECONDS
        try:
            found, self._as_of = await self._fetch(since)
        except ValueError:
            _log.exception("revocations_not_understood")
            return
        except AppError as error:
            if self._reachable:
                _log.warning("revocations_not_fetched", reason=error.reason)
            self._reachable = False
            return
        self._reachable = True
        now = self._clock()
        self._revoked = {
            each: seen for each, seen in self._revoked.items() if now - seen < _KEPT_SECONDS
        } | dict.fromkeys(found, now)
