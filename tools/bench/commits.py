"""What a booking costs without the hops: the use case in this process, on the database of all phases."""

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from booking.app import App
from booking.clients import Allowances, Deposits
from booking.domain.bookings import Guest, Wish
from booking.domain.venues import VenueRef
from booking.usecases.bookings import create_booking
from servicekit import idempotency, ids
from servicekit.cache import Cache
from servicekit.database import Database
from servicekit.identity import Caller, CallerKind, Signer
from servicekit.privacy import PrivacyDesk
from servicekit.rpc.client import Peer
from servicekit.settings import DatabaseSettings, RedisSettings
from tools.bench.places import Place, Wishes

_GUEST = Caller(CallerKind.ANONYMOUS, issuer="bench")
_FINGERPRINT = bytes(32)
_NOBODY = "127.0.0.1:1"
"""What is booked here costs nothing ahead, so no other service is asked."""


class Commits:
    """The booking service's own use case, one booking in flight on each of some connections."""

    def __init__(self, application_database: str, wishes: Wishes, *, key_file: Path) -> None:
        """Connects when it first books, as the role that the service has; `key_file` is its own."""
        settings = DatabaseSettings(url=SecretStr(application_database))
        self._db = Database(settings, name="booking")
        nobody = Peer("nobody", _NOBODY, Signer(key_file))
        self._app = App(
            db=self._db,
            cache=Cache(RedisSettings(), prefix="bench"),
            deposits=Deposits(nobody),
            privacy=PrivacyDesk(nobody),
            allowances=Allowances(nobody),
            hold_ttl=timedelta(minutes=15),
        )
        self._wishes = wishes

    async def run(self, *, connections: int, seconds: float) -> list[float]:
        """Books until time is up. How long each booking took, in seconds."""
        taken: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(self._book_on(number, until, taken) for number in range(connections)))
        return taken

    async def close(self) -> None:
        """Ends the connections."""
        await self._db.close()

    async def _book_on(self, connection: int, until: float, taken: list[float]) -> None:
        while (began := time.perf_counter()) < until:
            place, start = self._wishes.next(connection)
            idempotency.bind(idempotency.Key(ids.new().hex, _FINGERPRINT))
            await create_booking(self._app, VenueRef(place.venue), _wish(place, start), caller=_GUEST)
            taken.append(time.perf_counter() - began)


def _wish(place: Place, start: datetime) -> Wish:
    guest = Guest.meet(ids.new(), name="Ana Bench", email="ana@bench.example", phone="", language="en")
    return Wish.of(guest, offering_id=place.offering, start=int(start.timestamp()), party_size=2, notes="")
