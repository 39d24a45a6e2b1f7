"""Series as tests make them."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from booking.domain.bookings import Actor, ActorKind, Guest
from booking.domain.series import Schedule, Series
from booking.tables import METADATA
from booking.usecases import series
from booking.usecases.series import Order, View
from servicekit import idempotency, ids

from .conftest import House

STAFF = Actor(ActorKind.MEMBER, ids.new())
WEEKS = [timedelta(weeks=each) for each in range(20)]


def claire() -> Guest:
    """Somebody who comes every week."""
    return Guest.meet(ids.new(), name="Claire", email="claire@example.org", phone="", language="fr")


def series_of(schedule: Schedule, zone: str, party_size: int = 2) -> Series:
    """A series of nobody in particular, nowhere in particular."""
    return Series(
        id=ids.new(),
        venue_id=ids.new(),
        time_zone=zone,
        offering_id=ids.new(),
        guest=claire(),
        schedule=schedule,
        party_size=party_size,
        notes="",
        created_at=datetime.now(UTC),
    )


def order(house: House, rule: str = "FREQ=WEEKLY;COUNT=4", **how: Any) -> Order:
    """Dinner for two at 19:00, every week from in seven days on."""
    values: dict[str, Any] = {
        "offering_id": house.offering.id,
        "rule": rule,
        "first": datetime.combine(house.day(how.pop("days", 7)), how.pop("at", time(19))),
        "party_size": 2,
        "guest": claire(),
        "notes": "By the window",
    }
    return Order(**(values | how))


async def repeat(
    house: House, rule: str = "FREQ=WEEKLY;COUNT=4", *, key: str | None = None, **how: Any
) -> View:
    """Books a series, as staff."""
    idempotency.bind(idempotency.Key(key, f"{rule}{how}".encode()) if key else None)
    try:
        return await series.create_series(
            house.app, house.organization, house.ref, order(house, rule, **how), actor=STAFF
        )
    finally:
        idempotency.bind(None)


async def rows(house: House) -> dict[str, int]:
    """How many rows each table of the house has, apart from those that only count changes of a day."""
    counted = {}
    async with house.app.db.begin(house.organization) as tx:
        for name in sorted(METADATA.tables.keys() - {"service_days"}):
            table = METADATA.tables[name]
            if "organization_id" in table.c:
                query = sa.select(sa.func.count()).select_from(table)
                counted[name] = (await tx.execute(query)).scalar_one()
    return counted


def states(view: View) -> list[str]:
    """What became of each occurrence, by day."""
    return [view.series.state(each).value for each in view.occurrences]
