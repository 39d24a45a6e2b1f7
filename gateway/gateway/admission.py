"""Sheds load: more requests in flight than the process carries are refused at once. None waits in line."""

from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from prometheus_client import Counter, Gauge

from gateway.client_address import place
from gateway.errors import Overloaded
from gateway.http import Request
from gateway.settings import AdmissionSettings

T = TypeVar("T")

SHED = Counter(
    "comptoir_http_requests_shed_total", "Requests refused since too many were in flight.", ["share"]
)
IN_FLIGHT = Gauge("comptoir_http_requests_in_flight", "HTTP requests that are being answered.")

_ALWAYS = frozenset({b"/healthz", b"/readyz"})
"""Whoever asks whether a process lives must hear so while it is busy."""


class Shares:
    """Counts what each has in flight, and lets them have `most` at once. Who has nothing costs nothing."""

    def __init__(self, name: str, most: int) -> None:
        self._shed = SHED.labels(name)
        self._most = most
        self._taken: dict[Hashable, int] = {}

    def take(self, holder: Hashable) -> None:
        """One more. Raises Overloaded; nothing is counted then."""
        taken = self._taken.get(holder, 0)
        if taken >= self._most:
            self._shed.inc()
            raise Overloaded
        self._taken[holder] = taken + 1

    def give_back(self, holder: Hashable) -> None:
        """One that was taken is over."""
        left = self._taken[holder] - 1
        if left:
            self._taken[holder] = left
        else:
            del self._taken[holder]

    @property
    def holders(self) -> int:
        """How many have something in flight."""
        return len(self._taken)


class Admission:
    """One process's places for requests: in all, by client and by organization.

    A place is held until the answer is made, not until it is sent: slow readers and streams hold none.
    """

    def __init__(self, settings: AdmissionSettings) -> None:
        self._most = settings.in_flight
        self._shed = SHED.labels("process")
        self._in_flight = 0
        self._clients = Shares("client", settings.in_flight_per_client)
        self._organizations = Shares("organization", settings.in_flight_per_organization)

    @property
    def in_flight(self) -> int:
        """How many places are taken."""
        return self._in_flight

    async def answer(self, request: Request, handle: Callable[[Request], Awaitable[T]]) -> T:
        """Handles the request in a place of its own, which is given back however that ends.

        Raises:
            Overloaded: there is none left, or none for this client. Nothing was handled.
        """
        if request.path in _ALWAYS:
            return await handle(request)
        if self._in_flight >= self._most:
            self._shed.inc()
            raise Overloaded
        client = place(request.address)
        self._clients.take(client)
        self._in_flight += 1
        IN_FLIGHT.inc()
        try:
            return await handle(request)
        finally:
            IN_FLIGHT.dec()
            self._in_flight -= 1
            self._clients.give_back(client)

    @contextmanager
    def of(self, organization: UUID | None) -> Iterator[None]:
        """A place of the organization for as long as the context; None needs none. Raises Overloaded."""
        if organization is None:
            yield
            return
        self._organizations.take(organization)
        try:
            yield
        finally:
            self._organizations.give_back(organization)
