"""What is new at auth, asked every few seconds: nobody has to wait for it, and auth may be down meanwhile."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

from servicekit import telemetry
from servicekit.errors import AppError

T = TypeVar("T")

Moment: TypeAlias = float
"""Epoch seconds by auth's clock."""
Fetch: TypeAlias = Callable[[Moment | None], Awaitable[tuple[T, Moment]]]
"""Asks auth what is new since a moment, and when auth looked. Raises AppError."""

_INTERVAL_SECONDS = 2.0
_OVERLAP_SECONDS = 30.0
"""Longer than a transaction lasts: what was changed before we asked may be committed after."""

_log = telemetry.logger(__name__)


class News(ABC, Generic[T]):
    """Keeps what auth tells. While auth does not answer, everything stays as it was."""

    def __init__(self, what: str, fetch: Fetch[T]) -> None:
        """`what`: its name in logs."""
        self._what = what
        self._fetch = fetch
        self._as_of: Moment | None = None
        self._reachable = True

    @abstractmethod
    def take(self, found: T) -> None:
        """Keeps what is new; some of it may be known already."""

    async def keep_fresh(self) -> None:
        """Asks every two seconds. Ends by being cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def refresh(self) -> None:
        """Asks once for what is new."""
        since = None if self._as_of is None else self._as_of - _OVERLAP_SECONDS
        try:
            found, self._as_of = await self._fetch(since)
        except ValueError:
            _log.exception(f"{self._what}_not_understood")
            return
        except AppError as error:
            if self._reachable:
                _log.warning(f"{self._what}_not_fetched", reason=error.reason)
            self._reachable = False
            return
        self._reachable = True
        self.take(found)
