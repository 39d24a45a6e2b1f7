"""Guests are taken out of visits that are long over, as their organization wants; nobody out of others."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.consumer import HANDLERS, on_payment_succeeded
from booking.domain.bookings import Status
from booking.store.days import lock_days
from booking.store.purges.visits import purge_guests
from booking.tables import (
    BOOKING_CHANGES,
    BOOKINGS,
    GUESTS,
    SERVICE_DAYS,
)
from booking.timers import TIMERS
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import events_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids, purging, retention
from servicekit.inbox import AlreadyHandled
from servicekit.purging import Purged
from servicekit.retention import Periods, Retention
from testkit import outbox
from testkit.events import event_of
from testkit.privacy import traces
from testkit.purging import keep_for, purge

from .conftest import House, Payments, open_house
from .old_visits import (
    DAYS,
    REASON,
    booking_row,
    change_row,
    evening,
    guest_row,
    insert,
    is_over,
    rows,
    somebody,
    three_years_pass,
)


@pytest.fixture
async def now(house: House) -> datetime:
    async with house.app.db.begin(house.organization) as tx:
        return tx.now


@pytest.mark.parametrize("seed", range(4))
async def test_guests_go_after_the_visit_and_wishes_before_and_no_others(
    app: App, payments: Payments, now: datetime, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    made: list[tuple[dict[str, Any], Periods]] = []
    for size in (10, 120, 2 * purging.BATCH + 100):
        house, periods = await open_house(app, payments), Periods()
        if chance.random() < 0.7:
            periods = Periods(guest_days=chance.choice(DAYS), wish_days=chance.choice(DAYS))
            days = {"guest_days": periods.guest_days, "wish_days": periods.wish_days}
            await keep_for(app.db, house.organization, days)
        made += [(each, periods) for each in await evening(house, now, chance, size)]
    keys = chance.sample(("guests", "wishes"), 2)
    for _ in range(2):
        await purge(app, app.db, TIMERS, *keys)
        await hold_true(app, now, made)


async def hold_true(app: App, now: datetime, made: list[tuple[dict[str, Any], Periods]]) -> None:
    """Each row against the rule; the second time shows that the same again changes nothing."""
    guests, bookings = await rows(app, GUESTS), await rows(app, BOOKINGS)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        changes = {row.booking_id: row.reason for row in await tx.execute(sa.select(BOOKING_CHANGES))}
    for booking, periods in made:
        forgotten = is_over(booking, now, periods.guest_days)
        wishless = forgotten or is_over(booking, now, periods.wish_days)
        guest, kept = guests[booking["guest_id"]], bookings[booking["id"]]
        assert somebody(guest) is not forgotten
        assert bool(guest["preferences"]) is not wishless
        assert bool(kept["notes"]) is not wishless
        assert kept["reason"] == changes[booking["id"]] == ("" if forgotten else booking["reason"])
        for name in ("status", "party_size", "start_at", "end_at", "service_date", "version"):
            assert kept[name] == booking[name]


async def test_a_day_that_changes_later_is_looked_at_again(house: House, now: datetime) -> None:
    """Whatever happens to a day raises its version; until then it costs nothing to leave it alone."""
    chance = random.Random(1)  # noqa: S311
    first = [each for each in await evening(house, now, chance, 60) if is_over(each, now, 730)]
    assert first
    await purge(house.app, house.app.db, TIMERS, "guests")
    late = guest_row(house.organization)
    await insert(house.app, GUESTS, [late])
    again = {name: value for name, value in first[0].items() if name not in {"id", "guest_id"}}
    await insert(house.app, BOOKINGS, [again | {"id": ids.new(), "guest_id": late["id"]}])
    await purge(house.app, house.app.db, TIMERS, "guests")
    assert somebody((await rows(house.app, GUESTS))[late["id"]])
    async with house.app.db.begin(house.organization) as tx:
        await lock_days(tx, house.venue_id, {first[0]["service_date"]})
    await purge(house.app, house.app.db, TIMERS, "guests")
    assert not somebody((await rows(house.app, GUESTS))[late["id"]])


async def test_what_was_written_about_nobody_goes_too(house: House, now: datetime) -> None:
    """Somebody at the door, who left no name: a word in the history may be about them."""
    nobody = guest_row(house.organization) | dict.fromkeys(("name", "email", "phone"), "")
    nobody |= {"preferences": {}, "marketing_consent_at": None}
    start = now - timedelta(days=800)
    visit = booking_row(house, nobody["id"], now, random.Random(3)) | {"notes": "", "reason": ""}  # noqa: S311
    visit |= {"status": Status.COMPLETED.value, "cancelled_by": None, "hold_expires_at": None}
    visit |= {"start_at": start, "end_at": start + timedelta(hours=1), "service_date": start.date()}
    row = {"organization_id": house.organization, "venue_id": house.venue_id, "version": 1}
    await insert(house.app, GUESTS, [nobody])
    await insert(house.app, SERVICE_DAYS, [row | {"service_date": start.date()}])
    await insert(house.app, BOOKINGS, [visit])
    await insert(house.app, BOOKING_CHANGES, [change_row(visit) | {"reason": REASON}])
    await purge(house.app, house.app.db, TIMERS, "guests")
    assert await traces(house.app.db, (REASON,)) == set()


async def test_a_day_that_is_partly_over_is_looked_at_until_it_is_all_over(
    house: House, now: datetime
) -> None:
    evening_of = now - timedelta(days=10)
    early, late = guest_row(house.organization), guest_row(house.organization)
    visits = [booking_row(house, each["id"], now, random.Random(2)) for each in (early, late)]  # noqa: S311
    for visit, hours in zip(visits, (-2, 4), strict=True):
        start = evening_of + timedelta(hours=hours)
        visit |= {"start_at": start, "end_at": start + timedelta(hours=1), "hold_expires_at": None}
        visit |= {"status": Status.COMPLETED.value, "cancelled_by": None, "service_date": evening_of.date()}
    row = {"organization_id": house.organization, "venue_id": house.venue_id, "version": 1}
    await insert(house.app, GUESTS, [early, late])
    await insert(house.app, SERVICE_DAYS, [row | {"service_date": evening_of.date()}])
    await insert(house.app, BOOKINGS, visits)

    async def known() -> list[bool]:
        await purge(house.app, house.app.db, TIMERS, "guests")
        guests = await rows(house.app, GUESTS)
        return [somebody(guests[each["id"]]) for each in (early, late)]

    await keep_for(house.app.db, house.organization, {"guest_days": 10})
    assert await known() == [False, True]
    await keep_for(house.app.db, house.organization, {"guest_days": 9}, version=3)
    assert await known() == [False, False]


async def expired_long_ago(house: House) -> UUID:
    """A hold that nobody paid, three years ago."""
    made = await house.book(6)
    await house.run_out(made)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).values(status=Status.EXPIRED.value, hold_expires_at=None))
    await three_years_pass(house)
    return made.booking.id


def paid(house: House, booking_id: UUID) -> Any:
    message = payment_events.PaymentSucceeded(booking_id=ids.show("bkg", booking_id))
    return event_of(message, house.organization)


async def refunds(house: House) -> int:
    told = await outbox.published(house.app.db)
    return sum(isinstance(each, events_pb2.BookingExpired) and each.HasField("refund_due") for each in told)


async def test_money_that_comes_while_a_guest_is_forgotten_goes_back_once(house: House) -> None:
    """A day that somebody changes is left for the next round; what came late is kept, and the guest goes."""
    booking_id = await expired_long_ago(house)
    seen = await house.read(booking_id)
    async with house.app.db.begin(house.organization) as tx:
        await lock_days(tx, seen.venue_id, {seen.service_date})
        assert await purge_once(house, most=1) == Purged(0, more=False)
        assert await traces(house.app.db, ("claire@example.org",))
    event = paid(house, booking_id)

    async def take() -> None:
        try:
            await on_payment_succeeded(house.app, event)
        except AlreadyHandled:
            return

    await asyncio.gather(
        *(take() for _ in range(3)),
        *(purge_once(house) for _ in range(3)),
    )
    await purge(house.app, house.app.db, TIMERS, "guests")
    assert await refunds(house) == 1
    assert await traces(house.app.db, ("claire@example.org",)) == set()
    kept = await house.read(booking_id)
    assert kept.status is Status.EXPIRED
    assert kept.deposit_paid_at is not None


async def purge_once(house: House, *, most: int = purging.BATCH) -> Purged:
    async with house.app.db.begin(house.organization) as tx:
        periods = (await retention.read(tx)).periods
        return await purge_guests(tx, retention.before(tx, periods.guest_days), most)


async def test_what_an_organization_wants_is_copied_twice_and_out_of_order(app: App) -> None:
    organization = ids.new()
    told = {"wish_days": 1, "ticket_days": 1, "mail_days": 1, "delivery_days": 1}
    changes = [auth_events.RetentionChanged(version=each, guest_days=each * 10, **told) for each in (2, 3)]
    second, third = (event_of(each, organization) for each in changes)
    for event in (third, second):
        await HANDLERS[auth_events.RetentionChanged](app, event)
    with pytest.raises(AlreadyHandled):
        await HANDLERS[auth_events.RetentionChanged](app, third)
    async with app.db.begin(organization) as tx:
        assert await retention.read(tx) == Retention(3, Periods(30, 1, 1, 1, 1))
