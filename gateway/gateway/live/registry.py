"""Every open stream of this process, how many there may be, and when each must end."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from gateway.admission import SHED
from gateway.errors import Overloaded
from gateway.limits.gcra import Charge, Quota, admits
from gateway.limits.local import LocalBuckets
from gateway.live import metrics
from gateway.live.connection import Connection
from gateway.live.errors import GoingAway, StreamExpired, TooManyStreams
from gateway.live.settings import LiveSettings
from gateway.revocations import Revocations
from servicekit.errors import RETRY_AFTER, Unauthenticated
from servicekit.identity import Caller

_SWEEP_SECONDS = 1.0
_LINGER_SECONDS = 3.0
"""How long a stream that is closed may take to say so to a client that does not read."""
_DRAIN_SECONDS = 2.0
_DRAIN_STEPS = 20
_COME_BACK_MS = 5000
_WAIT_SECONDS = "5"
_MINUTE = 60
_SHED = SHED.labels("streams")

Abort = Callable[[], None]
"""Cuts the connection off, whatever is still to be written."""


class Registry:
    """The connections, from `add` to `remove`."""

    def __init__(
        self, settings: LiveSettings, revocations: Revocations, *, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._revocations = revocations
        self._clock = clock
        self._open: dict[Connection, Abort] = {}
        self._closed_at: dict[Connection, float] = {}
        self._held: Counter[UUID | None] = Counter()
        self._messages = Quota(settings.messages_per_minute, _MINUTE)
        self._spoken = LocalBuckets()
        self._draining = False

    def add(self, connection: Connection, abort: Abort) -> None:
        """Takes a new connection.

        Raises:
            TooManyStreams: the caller has enough.
            Overloaded: the process has.
            GoingAway: the process is about to stop.
        """
        if self._draining:
            raise GoingAway
        holder, settings = _holder(connection.caller), self._settings
        if len(self._open) >= settings.connections:
            _SHED.inc()
            raise Overloaded(metadata={RETRY_AFTER: _WAIT_SECONDS})
        if self._held[holder] >= settings.connections_per_caller:
            raise TooManyStreams(metadata={RETRY_AFTER: _WAIT_SECONDS})
        self._held[holder] += 1
        self._open[connection] = abort
        metrics.CONNECTIONS.labels(connection.transport).inc()

    def remove(self, connection: Connection) -> None:
        """Forgets a connection that has ended."""
        if self._open.pop(connection, None) is None:
            return
        self._closed_at.pop(connection, None)
        holder = _holder(connection.caller)
        self._held[holder] -= 1
        if self._held[holder] <= 0:
            del self._held[holder]
        metrics.CONNECTIONS.labels(connection.transport).dec()

    def may_speak(self, caller: Caller, messages: int) -> bool:
        """Whether the caller may send so many more, over all streams: a bucket that fills in a minute."""
        charge = Charge(str(_holder(caller)), self._messages)
        return all(admits([charge], self._spoken.spend([charge])) for _ in range(messages))

    async def keep_swept(self) -> None:
        """Ends, every second, what may not go on. Ends by being cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    def sweep(self) -> None:
        """Closes streams whose credentials hold no longer, and cuts off those that do not take their end."""
        now = self._clock()
        for connection, abort in tuple(self._open.items()):
            if connection.closing is None:
                self._close_if_over(connection, now)
            elif now - self._closed_at.setdefault(connection, now) >= _LINGER_SECONDS:
                abort()

    def _close_if_over(self, connection: Connection, now: float) -> None:
        if connection.until <= now:
            connection.close(StreamExpired())
            return
        try:
            self._revocations.refuse(connection.caller)
        except Unauthenticated as refusal:
            connection.close(refusal)

    async def drain(self) -> None:
        """Takes no stream any more and ends all, spread over two seconds, or all would come back at once."""
        self._draining = True
        ending = list(self._open)
        share = -(-len(ending) // _DRAIN_STEPS)
        for start in range(0, len(ending), share or 1):
            for connection in ending[start : start + share]:
                connection.close(GoingAway(), retry_after_ms=secrets.randbelow(_COME_BACK_MS))
            await asyncio.sleep(_DRAIN_SECONDS / _DRAIN_STEPS)
        for _ in range(_DRAIN_STEPS):
            if not self._open:
                return
            await asyncio.sleep(_DRAIN_SECONDS / _DRAIN_STEPS)
        for abort in tuple(self._open.values()):
            abort()


def _holder(caller: Caller) -> UUID | None:
    return caller.key or caller.user or caller.operator
