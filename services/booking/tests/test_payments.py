"""Money and holds in every order: confirmed, or given back once. Events twice and late; timers that ring."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.consumer import HANDLERS, on_payment_succeeded
from booking.domain.bookings import Actor, ActorKind, Booking, BookingNotFound, CancelledBy, Status
from booking.domain.offerings import DepositRule
from booking.domain.terms import Terms
from booking.tables import BOOKINGS
from booking.timers import TIMERS
from booking.usecases import bookings, changes
from booking.usecases.bookings import Made
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import booking_pb2, events_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.errors import Unavailable
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from servicekit.money import Money
from servicekit.timers import Timer
from testkit import outbox, timers
from testkit.edge import Edge
from testkit.events import event_of

from .conftest import House, Payments, call, open_house

_GUEST = Actor(ActorKind.GUEST)


def paid(house: House, made: Made) -> Event:
    message = payment_events.PaymentSucceeded(
        payment_id=ids.show("pay", ids.new()),
        booking_id=ids.show("bkg", made.booking.id),
        amount=values_pb2.Money(amount=6000, currency="EUR"),
    )
    return event_of(message, house.organization)


async def read(house: House, made: Made) -> Booking:
    return await bookings.get_booking(house.app, house.organization, made.booking.id)


async def told(house: House) -> list[str]:
    """The events about bookings so far."""
    return [
        type(event).__name__
        for event in await outbox.published(house.app.db)
        if type(event).__name__.startswith("Booking")
    ]


async def ring(house: House, made: Made) -> None:
    """Lets the timer of a hold ring, as the loop would."""
    (timer,) = [
        each
        for each in await timers.scheduled(house.app.db, "hold_expiry")
        if each.key == str(made.booking.id)
    ]
    await TIMERS[timer.kind](house.app, timer)


async def test_a_payment_confirms_the_hold_for_good(house: House) -> None:
    made = await house.book(6)
    await on_payment_succeeded(house.app, paid(house, made))
    confirmed = await read(house, made)
    assert (confirmed.status, confirmed.version, confirmed.hold_expires_at) == (Status.CONFIRMED, 2, None)
    assert await told(house) == ["BookingHeld", "BookingConfirmed"]
    assert await timers.scheduled(house.app.db, "hold_expiry") == []
    assert len(await timers.scheduled(house.app.db, "no_show")) == 1
    assert await house.history(made.booking.id) == [("held", "guest"), ("confirmed", "payment")]
    assert len(await house.occupied()) == 1


async def test_a_payment_delivered_twice_and_told_twice_confirms_once(house: House) -> None:
    made = await house.book(6)
    event = paid(house, made)
    await on_payment_succeeded(house.app, event)
    with pytest.raises(AlreadyHandled):
        await on_payment_succeeded(house.app, event)
    await on_payment_succeeded(house.app, paid(house, made))
    assert await told(house) == ["BookingHeld", "BookingConfirmed"]
    assert (await read(house, made)).version == 2


async def test_a_payment_that_came_after_the_end_confirms_while_nobody_took_the_tables(house: House) -> None:
    made = await house.book(6)
    await house.run_out(made)
    await on_payment_succeeded(house.app, paid(house, made))
    assert (await read(house, made)).status is Status.CONFIRMED
    assert await told(house) == ["BookingHeld", "BookingConfirmed"]


async def test_a_payment_after_expiry_takes_the_same_tables_again(house: House) -> None:
    made = await house.book(6)
    await house.run_out(made)
    await ring(house, made)
    assert await told(house) == ["BookingHeld", "BookingExpired"]
    await on_payment_succeeded(house.app, paid(house, made))
    rescued = await read(house, made)
    assert (rescued.status, rescued.resource_ids) == (Status.CONFIRMED, made.booking.resource_ids)
    assert await told(house) == ["BookingHeld", "BookingExpired", "BookingConfirmed"]
    assert len(await house.occupied()) == 1


async def test_a_payment_after_expiry_takes_other_tables_at_the_same_start(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 6, 8), ("T2", 6, 9)), joined=())
    made = await house.book(6)
    await house.run_out(made)
    other = await house.book(6)
    assert other.booking.resource_ids == made.booking.resource_ids
    await on_payment_succeeded(app, paid(house, made))
    rescued = await read(house, made)
    assert (rescued.status, rescued.resource_ids) == (Status.CONFIRMED, (house.tables["T2"].id,))
    assert rescued.start == made.booking.start


async def test_a_payment_for_tables_that_are_sold_is_given_back_once(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 6, 8),), joined=())
    made = await house.book(6)
    await house.run_out(made)
    await house.book(6)
    await on_payment_succeeded(app, paid(house, made))
    await on_payment_succeeded(app, paid(house, made))
    assert (await read(house, made)).status is Status.EXPIRED
    expired = [each for each in await outbox.published(app.db) if isinstance(each, events_pb2.BookingExpired)]
    assert [each.refund_due.amount for each in expired] == [0, 6000]
    assert [each.booking.version for each in expired] == [2, 3]
    assert await house.double_bookings() == 0


async def test_a_payment_after_the_start_is_given_back(house: House) -> None:
    made = await house.book(6)
    await house.run_out(made)
    await ring(house, made)
    begun = datetime.now(UTC) - timedelta(minutes=1)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).values(start_at=begun))
    await on_payment_succeeded(house.app, paid(house, made))
    assert (await read(house, made)).status is Status.EXPIRED
    (*_, event) = await outbox.published(house.app.db)
    assert isinstance(event, events_pb2.BookingExpired)
    assert event.refund_due.amount == 6000


async def test_a_payment_for_a_cancelled_booking_is_given_back_once(house: House) -> None:
    made = await house.book(6)
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.GUEST, actor=_GUEST
    )
    await on_payment_succeeded(house.app, paid(house, made))
    await on_payment_succeeded(house.app, paid(house, made))
    assert (await read(house, made)).status is Status.CANCELLED
    cancelled = [
        each for each in await outbox.published(house.app.db) if isinstance(each, events_pb2.BookingCancelled)
    ]
    assert [each.refund_due.amount for each in cancelled] == [0, 6000]
    assert [each.booking.version for each in cancelled] == [2, 3]


async def test_cancelling_and_paying_at_once_ends_in_a_refund_or_never_took_money(house: House) -> None:
    for days in range(7, 13):
        made = await house.book(6, house.start(days=days))
        await asyncio.gather(
            on_payment_succeeded(house.app, paid(house, made)),
            changes.cancel_booking(
                house.app, house.organization, made.booking.id, by=CancelledBy.GUEST, actor=_GUEST
            ),
        )
        assert (await read(house, made)).status is Status.CANCELLED
    refunds = [
        each.refund_due.amount
        for each in await outbox.published(house.app.db)
        if isinstance(each, events_pb2.BookingCancelled) and each.HasField("refund_due")
    ]
    assert refunds == [6000] * 6
    assert await house.occupied() == []


async def test_a_payment_and_a_rival_for_an_expired_hold_never_share_a_table(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 6, 8),), joined=())
    for days in range(7, 13):
        made = await house.book(6, house.start(days=days))
        await house.run_out(made)
        await asyncio.gather(
            on_payment_succeeded(app, paid(house, made)),
            house.book(6, house.start(days=days)),
            return_exceptions=True,
        )
    assert await house.double_bookings() == 0
    assert len(await house.occupied()) == 6


async def test_a_payment_for_nobodys_booking_is_refused(house: House) -> None:
    made = await house.book(6)
    with pytest.raises(BookingNotFound):
        await on_payment_succeeded(house.app, replace(paid(house, made), organization=ids.new()))


async def test_an_unpaid_hold_ends_when_its_timer_rings_and_its_deposit_is_closed(
    house: House, payments: Payments
) -> None:
    made = await house.book(6)
    await house.run_out(made)
    await ring(house, made)
    assert (await read(house, made)).version == 2
    assert payments.closed == {ids.show("bkg", made.booking.id)}
    assert await house.occupied() == []
    assert await told(house) == ["BookingHeld", "BookingExpired"]
    assert await timers.scheduled(house.app.db, "hold_expiry") == []


async def test_a_timer_finds_a_payment_that_nobody_told_of_yet(house: House, payments: Payments) -> None:
    made = await house.book(6)
    payments.paid.add(ids.show("bkg", made.booking.id))
    await house.run_out(made)
    await ring(house, made)
    assert (await read(house, made)).status is Status.CONFIRMED
    await on_payment_succeeded(house.app, paid(house, made))
    assert await told(house) == ["BookingHeld", "BookingConfirmed"]


async def test_a_timer_that_rings_early_waits_and_closes_nothing(house: House, payments: Payments) -> None:
    made = await house.book(6)
    await ring(house, made)
    assert payments.closed == set()
    (timer,) = await timers.scheduled(house.app.db, "hold_expiry")
    assert timer.due_at == made.booking.hold_expires_at
    assert (await read(house, made)).status is Status.HELD


async def test_a_timer_waits_while_payment_is_down(house: House, payments: Payments) -> None:
    made = await house.book(6)
    await house.run_out(made)
    payments.down = True
    with pytest.raises(Unavailable):
        await ring(house, made)
    assert len(await timers.scheduled(house.app.db, "hold_expiry")) == 1
    payments.down = False
    await ring(house, made)
    assert await told(house) == ["BookingHeld", "BookingExpired"]


async def test_a_timer_that_rings_twice_expires_once(house: House) -> None:
    made = await house.book(6)
    await house.run_out(made)
    (timer,) = await timers.scheduled(house.app.db, "hold_expiry")
    await asyncio.gather(*(_ring(house, timer) for _ in range(3)))
    assert await told(house) == ["BookingHeld", "BookingExpired"]


async def _ring(house: House, timer: Timer) -> None:
    await TIMERS[timer.kind](house.app, timer)


async def test_a_hold_that_was_cancelled_has_its_deposit_closed_all_the_same(
    house: House, payments: Payments
) -> None:
    made = await house.book(6)
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.GUEST, actor=_GUEST
    )
    await ring(house, made)
    assert payments.closed == {ids.show("bkg", made.booking.id)}
    assert await told(house) == ["BookingHeld", "BookingCancelled"]
    assert await timers.scheduled(house.app.db, "hold_expiry") == []


def test_nothing_else_is_consumed() -> None:
    of_auth = {
        auth_events.ErasureRequested,
        auth_events.ExportRequested,
        auth_events.OrganizationThemeUpdated,
        auth_events.RetentionChanged,
    }
    assert set(HANDLERS) == {payment_events.PaymentSucceeded, events_pb2.BookingConfirmed} | of_auth


@pytest.mark.parametrize(("percent", "kept"), [(None, 6000), (100, 6000), (33, 1980), (0, 0)])
async def test_a_missed_booking_tells_what_is_kept_of_its_deposit_by_the_terms_it_was_booked_under(
    house: House, percent: int | None, kept: int
) -> None:
    rule = DepositRule(6, Money(1000, "EUR"), 24)
    under = await house.offer(Terms(no_show_percent=percent), deposit=rule)
    made = await under.book(6)
    await on_payment_succeeded(house.app, paid(under, made))
    await house.begin(made.booking, minutes_ago=40)
    await house.ring("no_show", made.booking.id)
    told_last = (await outbox.published(house.app.db))[-1]
    assert isinstance(told_last, events_pb2.BookingNoShow)
    assert told_last.HasField("fee")
    assert (told_last.fee.amount, told_last.fee.currency) == (kept, "EUR")


async def test_a_guest_sees_what_not_coming_costs_by_the_terms_of_the_booking(
    edge: Edge, house: House
) -> None:
    rule = DepositRule(6, Money(1000, "EUR"), 24)
    under = await house.offer(Terms(no_show_percent=33), deposit=rule)
    made = await under.book(6)

    async def seen() -> Any:
        request = booking_pb2.GetManagedBookingRequest(token=made.manage_token)
        return await call(edge, "GuestBookingService/GetManagedBooking", request)

    unpaid = await seen()
    assert (unpaid.fee_if_missed.amount, unpaid.HasField("fee_if_cancelled")) == (1980, False)
    await on_payment_succeeded(house.app, paid(under, made))
    fees = await seen()
    assert (fees.fee_if_missed.amount, fees.fee_if_missed.currency) == (1980, "EUR")
    assert fees.fee_if_cancelled.amount == 0
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.GUEST, actor=_GUEST
    )
    assert not (await seen()).HasField("fee_if_missed")


async def test_a_missed_booking_without_a_paid_deposit_costs_nothing(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=40)
    await house.ring("no_show", made.id)
    told_last = (await outbox.published(house.app.db))[-1]
    assert isinstance(told_last, events_pb2.BookingNoShow)
    assert not told_last.HasField("fee")
