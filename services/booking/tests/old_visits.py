"""Visits of long ago, whatever became of them, and the years that pass."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Status
from booking.tables import (
    BOOKING_CHANGES,
    BOOKINGS,
    GUESTS,
    SERIES,
    SERVICE_DAYS,
    WAITLIST_ENTRIES,
)
from servicekit import ids

from .conftest import House

DAYS = (1, 2, 30, 89, 90, 91, 365, 729, 730, 731)
MARGIN = timedelta(minutes=2)
"""What no age is nearer to a bound than, so that the time a test takes decides nothing."""
NEXT_YEAR = timedelta(days=-365)
ALL = ("guests", "wishes", "waitlist", "waitlist_wishes", "series", "series_wishes")
NAME, PHONE, NOTE, DIET, REASON = "Zephyrine", "+33698765432", "the corner table", "no shellfish", "a cold"
EMAIL = "zephyrine@guest.example"
PERSONAL = (NAME, PHONE, NOTE, DIET, REASON, EMAIL)


async def insert(app: App, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    async with app.db.begin_platform(reason="make rows in a test") as tx:
        await tx.execute(sa.insert(table), rows)


async def rows(app: App, table: sa.Table) -> dict[UUID, sa.RowMapping]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return {row["id"]: row for row in (await tx.execute(sa.select(table))).mappings()}


def some_age(chance: random.Random) -> timedelta:
    days = chance.choice([timedelta(days=each) for each in DAYS] + [NEXT_YEAR])
    return days + chance.choice([MARGIN, -MARGIN])


def guest_row(organization: UUID) -> dict[str, Any]:
    return {
        "organization_id": organization,
        "id": ids.new(),
        "name": NAME,
        "email": EMAIL,
        "phone": PHONE,
        "language": "fr",
        "preferences": {"dietary": [["vegan"], DIET]},
        "marketing_consent_at": datetime.now(UTC),
    }


def booking_row(house: House, guest: UUID, now: datetime, chance: random.Random) -> dict[str, Any]:
    """Some booking, whatever became of it, on its service day or in the night after."""
    status, end = chance.choice(list(Status)), now - some_age(chance)
    start = end - timedelta(hours=2)
    runs_out = status in {Status.HELD, Status.REQUESTED}
    return {
        "organization_id": house.organization,
        "id": ids.new(),
        "venue_id": house.venue_id,
        "offering_id": house.offering.id,
        "guest_id": guest,
        "status": status.value,
        "party_size": 2,
        "start_at": start,
        "end_at": end,
        "service_date": start.date() - chance.choice([timedelta(), timedelta(days=1)]),
        "resource_ids": [],
        "notes": NOTE,
        "hold_expires_at": chance.choice([start, now + MARGIN]) if runs_out else None,
        "cancelled_by": "guest" if status is Status.CANCELLED else None,
        "version": 1,
        "created_at": start - timedelta(days=40),
        "reason": REASON if status is Status.CANCELLED else "",
    }


def change_row(booking: dict[str, Any]) -> dict[str, Any]:
    same = {name: booking[name] for name in ("organization_id", "version", "start_at", "reason")}
    return same | {"booking_id": booking["id"], "kind": "cancelled", "actor": "guest"}


def is_over(booking: dict[str, Any], now: datetime, days: int) -> bool:
    """The rule, said as plainly as can be."""
    runs_out = booking["hold_expires_at"]
    ended = [booking["end_at"]] + ([runs_out] if runs_out else [])
    return all(now - each > timedelta(days=days) for each in ended)


def somebody(guest: sa.RowMapping) -> bool:
    return any(guest[name] for name in ("name", "email", "phone", "marketing_consent_at"))


async def evening(house: House, now: datetime, chance: random.Random, many: int) -> list[dict[str, Any]]:
    guests = [guest_row(house.organization) for _ in range(many)]
    bookings = [booking_row(house, guest["id"], now, chance) for guest in guests]
    days = {(each["venue_id"], each["service_date"]) for each in bookings}
    row = {"organization_id": house.organization, "version": 1}
    await insert(house.app, GUESTS, guests)
    await insert(
        house.app, SERVICE_DAYS, [row | {"venue_id": venue, "service_date": day} for venue, day in days]
    )
    await insert(house.app, BOOKINGS, bookings)
    await insert(house.app, BOOKING_CHANGES, [change_row(each) for each in bookings])
    return bookings


async def three_years_pass(house: House) -> None:
    """For everything that was booked or waited for."""
    by, days = timedelta(days=3 * 364), 3 * 364
    moments = {
        BOOKINGS: ("start_at", "end_at", "hold_expires_at", "created_at"),
        WAITLIST_ENTRIES: ("created_at", "asked_at"),
        SERIES: ("created_at",),
    }
    dates = {
        SERVICE_DAYS: ("service_date",),
        BOOKINGS: ("service_date",),
        WAITLIST_ENTRIES: ("best_date", "first_date", "last_date"),
        SERIES: ("first_date",),
    }
    async with house.app.db.begin(house.organization) as tx:
        for table, names in moments.items():
            await tx.execute(sa.update(table).values({name: table.c[name] - by for name in names}))
        for table, names in dates.items():
            await tx.execute(sa.update(table).values({name: table.c[name] - days for name in names}))
