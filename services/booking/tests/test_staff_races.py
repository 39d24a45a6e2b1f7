"""Staff against staff, guests and money on a real database: no deadlock, and nothing is lost."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from booking.app import App
from booking.consumer import on_payment_succeeded
from booking.domain.bookings import Actor, ActorKind, CancelledBy, Status
from booking.store import bookings as store
from booking.usecases import assignments, changes, visits
from booking.usecases.assignments import Assignment
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.errors import Busy, VersionMismatch
from testkit import outbox
from testkit.events import event_of

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())
GUEST = Actor(ActorKind.GUEST)


async def outcomes(attempts: list[Any]) -> Counter[str]:
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


async def test_many_swaps_of_the_same_bookings_in_every_order_never_wait_for_each_other(
    house: House,
) -> None:
    days = [house.start(days=each) for each in (7, 8, 9)]
    made = [(await house.book(2, start)).booking.id for start in days for _ in range(2)]
    pairs = [(one, other) for one in made for other in made if one != other]
    counted = await outcomes(
        [
            assignments.swap(house.app, house.organization, (one, 0), (other, 0), actor=STAFF)
            for one, other in pairs
        ]
    )
    assert set(counted) <= {"tuple", "SlotTaken"}  # never Busy, which a deadlock is
    assert counted["tuple"] > 0
    assert len(await house.occupied()) == len(made)
    assert await house.double_bookings() == 0


async def test_control_bookings_locked_in_the_order_of_the_call_wait_for_each_other(house: House) -> None:
    one, other = (await house.book(2)).booking.id, (await house.book(2)).booking.id
    both_have_one = asyncio.Barrier(2)

    async def lock(first: Any, second: Any) -> None:
        async with house.app.db.begin(house.organization) as tx:
            await store.lock_booking(tx, first)
            await both_have_one.wait()
            await store.lock_booking(tx, second)

    assert (await outcomes([lock(one, other), lock(other, one)]))["Busy"] >= 1
    assert Busy.reason == "BUSY"


async def test_of_two_who_swap_with_what_they_have_read_one_is_too_late(house: House) -> None:
    one, other = (await house.book(2)).booking.id, (await house.book(2)).booking.id
    counted = await outcomes(
        [assignments.swap(house.app, house.organization, (one, 1), (other, 1), actor=STAFF) for _ in range(4)]
    )
    assert counted == {"tuple": 1, VersionMismatch.__name__: 3}
    assert await house.seats_of(one) == {"T2"}


async def test_guests_who_book_and_staff_who_drag_never_get_the_same_table(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 3, 4)), joined=())
    target = Assignment((house.tables["T2"].id,), pinned=True)
    for days in range(2, 8):
        start = house.start(days=days)
        small = (await house.book(2, start)).booking
        counted = await outcomes(
            [
                assignments.assign(app, house.organization, small.id, target, actor=STAFF),
                *(house.book(4, start + 900 * each) for each in range(3)),
            ]
        )
        assert counted["Booking"] + counted["Made"] == 1
        assert set(counted) == {"Booking", "SlotTaken"} or set(counted) == {"Made", "SlotTaken"}
    assert await house.double_bookings() == 0


async def test_a_booking_moved_and_another_one_made_never_get_the_same_table(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    for days in range(2, 8):
        early = (await house.book(2, house.start(19, days=days))).booking
        late = house.start(21, days=days)
        counted = await outcomes(
            [
                changes.move_booking(app, house.organization, early.id, Move(late), actor=STAFF),
                *(house.book(2, late + 900 * each) for each in range(3)),
            ]
        )
        assert counted["Booking"] + counted["Made"] == 1
    assert await house.double_bookings() == 0


async def test_a_table_that_is_left_goes_to_one_of_those_who_wait_for_it(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2)), joined=())
    sitting = (await house.book(2)).booking
    other = (await house.book(2)).booking
    for each in (sitting, other):
        await house.begin(each, minutes_ago=10)
        await visits.seat(app, house.organization, each.id, actor=STAFF)
    await visits.complete(app, house.organization, sitting.id, actor=STAFF)
    counted = await outcomes(
        [
            assignments.assign(
                app, house.organization, other.id, Assignment((house.tables["T1"].id,)), actor=STAFF
            )
            for _ in range(4)
        ]
    )
    assert counted == {"Booking": 4}  # said four times, done once
    assert (await house.read(other.id)).version == 3


async def test_many_hosts_who_mark_one_guest_write_one_line(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=1)
    where = house.app, house.organization, made.id
    assert await outcomes([visits.arrive(*where, actor=STAFF) for _ in range(6)]) == {"Booking": 6}
    counted = await outcomes([visits.complete(*where, actor=STAFF), visits.miss(*where, actor=STAFF)])
    assert counted == {"Booking": 1, "BookingStateConflict": 1}
    assert len(await house.history(made.id)) == 3


@pytest.mark.parametrize("days", range(3, 9))
async def test_a_deposit_paid_while_the_guest_cancels_is_kept_or_given_back_once(
    house: House, days: int
) -> None:
    made: Made = await house.book(6, house.start(days=days))
    message = payment_events.PaymentSucceeded(
        payment_id=ids.show("pay", ids.new()),
        booking_id=ids.show("bkg", made.booking.id),
        amount=values_pb2.Money(amount=6000, currency="EUR"),
    )
    await asyncio.gather(
        on_payment_succeeded(house.app, event_of(message, house.organization)),
        changes.cancel_booking(
            house.app, house.organization, made.booking.id, by=CancelledBy.GUEST, actor=GUEST
        ),
    )
    now = await house.read(made.booking.id)
    assert (now.status, now.version) == (Status.CANCELLED, 3)
    assert now.deposit_paid_at is not None
    refunds = [
        event.refund_due.amount
        for event in await outbox.published(house.app.db)
        if isinstance(event, events_pb2.BookingCancelled) and event.HasField("refund_due")
    ]
    assert refunds == [6000]
    assert await house.seats_of(made.booking.id) == set()
