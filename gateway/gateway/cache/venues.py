"""Which venue a slug names. Tags go by ids, as events do."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from comptoir.booking.v1 import venue_pb2, venue_pb2_grpc
from servicekit.errors import AppError
from servicekit.rpc.client import Peer

Ask = Callable[[str], Awaitable[str]]
"""The id of the venue that a slug names. Raises AppError."""

_SECONDS = 60.0
"""As long as booking believes it."""
_MOST = 10_000


class VenueNames:
    """Remembers the ids of venues by their slugs for a minute."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def id_of(self, slug: str) -> str | None:
        """The id; None when there is no such venue, or nobody can say."""
        known = self._known.get(slug)
        if known is not None and known[0] > self._clock():
            return known[1]
        try:
            found = await self._ask(slug)
        except AppError:
            return None
        self._known[slug] = (self._clock() + _SECONDS, found)
        self._known.move_to_end(slug)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return found


def asking(booking: Peer) -> Ask:
    """Asks booking."""
    stub = booking.stub(venue_pb2_grpc.VenueServiceStub)

    async def ask(slug: str) -> str:
        answer = await booking.call(stub.GetVenue, venue_pb2.GetVenueRequest(venue_id=slug))
        found: str = answer.venue.id
        return found

    return ask
