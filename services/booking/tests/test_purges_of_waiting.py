"""People are taken out of waits and series that are long over; nobody out of what is live."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.domain.bookings import Guest, Preferences, Wants
from booking.domain.waitlist import EntryStatus
from booking.tables import (
    BOOKINGS,
    GUESTS,
    SERIES,
    WAITLIST_ENTRIES,
    WAITLIST_OFFERS,
    WAITLIST_TOKENS,
)
from booking.timers import TIMERS
from servicekit import ids
from testkit.privacy import traces
from testkit.purging import keep_for, purge

from .conftest import House
from .line import Line
from .old_visits import ALL, DIET, EMAIL, NAME, NOTE, PERSONAL, PHONE, rows, somebody, three_years_pass
from .series import repeat


def zephyrine() -> Guest:
    wishes = Preferences(dietary=Wants((), DIET), marketing_consent=True)
    return Guest.meet(ids.new(), name=NAME, email=EMAIL, phone=PHONE, language="fr", preferences=wishes)


async def wait(house: House) -> UUID:
    """For what somebody else has booked."""
    await house.book(8)
    seen = await Line(house).wait("claire", 8)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(
            sa.update(GUESTS)
            .where(GUESTS.c.id == seen.entry.ask.guest.id)
            .values(name=NAME, phone=PHONE, preferences={"dietary": [[], DIET]})
        )
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(notes=NOTE))
    return seen.entry.id


async def test_of_whom_nothing_is_to_come_nothing_is_left_anywhere(house: House) -> None:
    """Bookings, a series, a wait, through the use cases; then a sweep of every column of every table."""
    await repeat(house, guest=zephyrine(), notes=NOTE)
    entry = await wait(house)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(
            sa.update(WAITLIST_ENTRIES)
            .where(WAITLIST_ENTRIES.c.id == entry)
            .values(status=EntryStatus.EXPIRED.value)
        )
    assert await traces(house.app.db, PERSONAL)
    await purge(house.app, house.app.db, TIMERS, *ALL)
    before = await traces(house.app.db, PERSONAL)
    noted = {f"{NOTE} in {table}.notes" for table in ("bookings", "series", "waitlist_entries")}
    assert noted | {f"{NAME} in guests.name"} <= before
    await three_years_pass(house)
    await purge(house.app, house.app.db, TIMERS, *ALL)
    assert await traces(house.app.db, PERSONAL) == set()
    for table in (WAITLIST_ENTRIES, WAITLIST_OFFERS, WAITLIST_TOKENS):
        async with house.app.db.begin(house.organization) as tx:
            assert (await tx.execute(sa.select(table))).all() == []
    assert len(await rows(house.app, BOOKINGS)) == 5


async def test_wishes_of_waits_and_series_go_first(house: House) -> None:
    await repeat(house, guest=zephyrine(), notes=NOTE)
    await wait(house)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(status=EntryStatus.WITHDRAWN.value))
    await keep_for(house.app.db, house.organization, {"guest_days": 3650})
    await three_years_pass(house)
    await purge(house.app, house.app.db, TIMERS, *ALL)
    assert await traces(house.app.db, (NOTE, DIET)) == set()
    guests = (await rows(house.app, GUESTS)).values()
    assert len(guests) == 7
    assert all(somebody(guest) for guest in guests)


@pytest.mark.parametrize("status", [EntryStatus.WAITING, EntryStatus.OFFERED])
async def test_who_still_waits_is_known_however_old_the_day(house: House, status: EntryStatus) -> None:
    """Its own timer ends a wait; until then it is live."""
    entry = await wait(house)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(status=status.value))
    await three_years_pass(house)
    await purge(house.app, house.app.db, TIMERS, *ALL)
    assert (await rows(house.app, WAITLIST_ENTRIES))[entry]["notes"] == NOTE
    assert await traces(house.app.db, (NAME, PHONE, DIET))


async def test_a_series_is_known_until_its_last_visit_is_over(house: House) -> None:
    """Its occurrences go one by one, and the series with the last."""
    view = await repeat(house, guest=zephyrine(), notes=NOTE)
    await three_years_pass(house)
    last = max(view.occurrences, key=lambda each: each.date)
    assert last.booking is not None
    async with house.app.db.begin(house.organization) as tx:
        soon = tx.now + timedelta(days=1)
        times = {"start_at": soon, "end_at": soon + timedelta(hours=2)}
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == last.booking.id).values(times))
    await purge(house.app, house.app.db, TIMERS, *ALL)
    guests, bookings = await rows(house.app, GUESTS), await rows(house.app, BOOKINGS)
    assert somebody(guests[view.series.guest.id])
    assert {each["id"] for each in bookings.values() if somebody(guests[each["guest_id"]])} == {
        last.booking.id
    }
    assert (await rows(house.app, SERIES))[view.series.id]["notes"] == NOTE
