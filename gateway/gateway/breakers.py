"""Circuit breakers: a service that does not answer is not asked for a moment. Refusals are answers."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from prometheus_client import Counter, Gauge

from gateway.errors import ServiceUnavailable
from gateway.settings import BreakerSettings
from servicekit import telemetry
from servicekit.errors import RETRY_AFTER, AppError, DeadlineExceeded, Unavailable
from servicekit.identity import Signer
from servicekit.rpc.client import Peer

OPENED = Counter(
    "comptoir_circuit_opened_total", "How often calls to a service stopped for a while.", ["peer"]
)
OPEN = Gauge("comptoir_circuit_open", "1 while calls to a service are stopped, else 0.", ["peer"])

_BUCKETS = 10
"""The window moves by a tenth of its length."""
_log = telemetry.logger(__name__)


class Outcome(Enum):
    """How a call ended, as far as a breaker minds."""

    ANSWERED = "answered"
    FAILED = "failed"
    """Nobody answered, or not in time."""
    ABANDONED = "abandoned"
    """It was cancelled, which says nothing of the service."""


class Breaker:
    """Closed → open when a share of the window's calls failed → one call tries → closed, or open again.

    Calls that began before a change of state do not count after it.
    """

    def __init__(
        self, name: str, settings: BreakerSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds that never go back."""
        self._name = name
        self._settings = settings
        self._clock = clock
        self._width = settings.window_seconds / _BUCKETS
        self._window: deque[list[int]] = deque()
        self._calls = self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self._era = 0

    def enter(self) -> int:
        """Lets a call pass, and answers what `leave` must be given.

        Raises:
            ServiceUnavailable: not now; when to come again is in the metadata.
        """
        if self._open_until is None:
            return self._era
        left = self._open_until - self._clock()
        if left > 0 or self._probing:
            raise ServiceUnavailable(metadata={RETRY_AFTER: str(max(1, math.ceil(left)))})
        self._probing = True
        return self._era

    def leave(self, era: int, outcome: Outcome) -> None:
        """A call that passed is over."""
        if era != self._era:
            return
        if self._open_until is not None:
            self._probing = False
            if outcome is Outcome.ANSWERED:
                self._close()
            elif outcome is Outcome.FAILED:
                self._open()
        elif outcome is not Outcome.ABANDONED:
            self._count(failed=outcome is Outcome.FAILED)

    def _count(self, *, failed: bool) -> None:
        now = int(self._clock() // self._width)
        window = self._window
        while window and window[0][0] <= now - _BUCKETS:
            _, calls, failures = window.popleft()
            self._calls -= calls
            self._failures -= failures
        if not window or window[-1][0] != now:
            window.append([now, 0, 0])
        window[-1][1] += 1
        self._calls += 1
        if not failed:
            return
        window[-1][2] += 1
        self._failures += 1
        settings = self._settings
        if self._calls >= settings.least_calls and self._failures >= settings.failing_share * self._calls:
            self._open()

    def _open(self) -> None:
        if self._open_until is None:
            _log.warning("circuit_opened", peer=self._name, calls=self._calls, failures=self._failures)
        self._open_until = self._clock() + self._settings.open_seconds
        self._era += 1
        OPENED.labels(self._name).inc()
        OPEN.labels(self._name).set(1)

    def _close(self) -> None:
        self._open_until = None
        self._era += 1
        self._window.clear()
        self._calls = self._failures = 0
        OPEN.labels(self._name).set(0)
        _log.info("circuit_closed", peer=self._name)


class GuardedPeer(Peer):
    """A service behind its breaker."""

    def __init__(self, name: str, target: str, signer: Signer, breaker: Breaker) -> None:
        super().__init__(name, target, signer, retries=True)
        self._breaker = breaker

    async def call_as(
        self,
        identity: str,
        method: Any,
        request: Any,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109
        metadata: Sequence[tuple[str, str]] = (),
        told: dict[str, str] | None = None,
    ) -> Any:
        """Calls like any peer. Raises ServiceUnavailable, too, without calling."""
        era = self._breaker.enter()
        outcome = Outcome.ABANDONED
        try:
            answer = await super().call_as(
                identity, method, request, timeout=timeout, metadata=metadata, told=told
            )
            outcome = Outcome.ANSWERED
        except (Unavailable, DeadlineExceeded):
            outcome = Outcome.FAILED  # its own refusals, and those of services behind it, come as Remote
            raise
        except AppError:
            outcome = Outcome.ANSWERED
            raise
        finally:
            self._breaker.leave(era, outcome)
        return answer
