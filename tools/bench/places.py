"""What is booked: venues with their tables, and starts that are free, so that nobody waits for another."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import orjson

from tools.bench import load

TIME_ZONE = "Africa/Abidjan"
"""UTC all year, so that every day has the same 96 starts."""
BOOKINGS_A_DAY = 200
STARTS = 96
STARTS_STEP = 7
"""A day's bookings go to every seventh start, round and round: no table is asked for twice at a time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A venue that is booked."""

    venue: UUID
    version: int
    offering: UUID
    tables: tuple[UUID, ...]
    venue_name: str
    """The venue's id as the API shows it."""
    offering_name: str

    def at_version(self, version: int) -> "Place":
        """The same venue, furnished."""
        return replace(self, version=version)


class Wishes:
    """Requests to book, each on a free start. Connections have days of their own; a day gets 200 bookings."""

    def __init__(self, places: list[Place], *, first: date, connections: int) -> None:
        self._places = places
        self._first = datetime.combine(first, datetime.min.time(), UTC)
        self._lanes = -(-connections // len(places))
        self._made = [0] * connections
        self.keys = 0

    def make(self, connection: int) -> bytes:
        """The next request of a connection."""
        place, start = self.next(connection)
        return wish(place, start, key=f"bench-{id(self):x}-{self.keys}")

    def next(self, connection: int) -> tuple[Place, datetime]:
        """Where and when a connection books next."""
        number = self._made[connection]
        self._made[connection] += 1
        self.keys += 1
        lane, place = divmod(connection, len(self._places))
        day, turn = divmod(number, BOOKINGS_A_DAY)
        start = self._first + timedelta(
            days=day * self._lanes + lane, minutes=15 * (turn * STARTS_STEP % STARTS)
        )
        return self._places[place], start


def wish(place: Place, start: datetime, *, key: str) -> bytes:
    """A request to book a table for two."""
    body = {
        "venue_id": place.venue_name,
        "offering_id": place.offering_name,
        "start": start.isoformat(),
        "party_size": 2,
        "guest": {"name": "Ana Bench", "email": "ana@bench.example", "language": "en"},
    }
    return load.request("POST", "/v1/bookings", orjson.dumps(body), idempotency_key=key)


class SliceWishes:
    """The same for the bare slice: tables and times that no two requests share."""

    _SECONDS = 5400
    _TABLES = 60

    def __init__(self, *, connections: int) -> None:
        self._made = [0] * connections

    def make(self, connection: int) -> bytes:
        """The next request of a connection."""
        number = self._made[connection]
        self._made[connection] += 1
        turn, table = divmod(number, self._TABLES)
        start = 1_900_000_000 + turn * self._SECONDS
        body = {
            "resource": connection * self._TABLES + table,
            "start": start,
            "end": start + self._SECONDS,
            "guest": "Ana Bench",
            "key": f"bench-{connection}-{number}",
        }
        return load.request("POST", "/", orjson.dumps(body))
