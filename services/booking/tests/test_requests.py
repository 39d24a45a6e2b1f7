"""Large parties ask first: who answers, until when, and who has the room meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from booking.domain.bookings import (
    Actor,
    ActorKind,
    BookingStateConflict,
    CancelledBy,
    Reason,
    Status,
)
from booking.domain.offerings import DepositRule
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import NoTableForParty, SlotClosed, SlotTaken, SlotTooSoon
from booking.domain.terms import PartyAsksFirst, RequestRule, Terms
from booking.usecases import changes, links, requests
from booking.usecases.changes import Move
from booking.usecases.requests import Answer
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import Unavailable
from servicekit.money import Money
from testkit import outbox, timers
from testkit.callers import member

from .conftest import House, Payments

STAFF = Actor(ActorKind.MEMBER, ids.new())
GUEST = Actor(ActorKind.GUEST)
FROM_SIX = RequestRule(6, answer_hours=48)
KEEPING = RequestRule(6, answer_hours=48, holds_capacity=True)
DEPOSIT = DepositRule(6, Money(1000, "EUR"), 24)


async def test_a_large_party_asks_and_occupies_nothing(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = (await asking.book(6)).booking
    assert (made.status, made.resource_ids, made.live) == (Status.REQUESTED, (), False)
    assert made.hold_expires_at == made.created_at + timedelta(hours=48)
    assert await house.occupied() == []
    (timer,) = await timers.scheduled(house.app.db, "request_expiry")
    assert timer.due_at >= made.hold_expires_at
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingRequested)
    assert event.answer_by.ToDatetime(made.created_at.tzinfo) == made.hold_expires_at
    assert (await asking.book(5)).booking.status is Status.CONFIRMED


async def test_a_request_never_waits_beyond_its_start(house: House) -> None:
    asking = await house.offer(Terms(requests=RequestRule(1, answer_hours=720)))
    made = (await asking.book(2)).booking
    assert made.hold_expires_at == made.start


async def test_where_the_room_is_kept_nobody_else_gets_it(house: House) -> None:
    asking = await house.offer(Terms(requests=KEEPING))
    made = (await asking.book(6)).booking
    assert (made.status, made.live) == (Status.REQUESTED, True)
    assert await house.seats_of(made.id) == {"T4"}
    with pytest.raises(SlotTaken):
        await asking.book(6)
    with pytest.raises(SlotTaken):
        await house.book(5)


async def test_staff_do_not_ask_themselves(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = await asking.book(6, caller=member(house.organization))
    assert made.booking.status is Status.CONFIRMED


async def test_a_request_keeps_to_the_hours_but_may_be_larger_than_any_table(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    assert (await asking.book(40)).booking.status is Status.REQUESTED
    with pytest.raises(SlotClosed):
        await asking.book(6, house.start(18))
    with pytest.raises(SlotTooSoon):
        await asking.book(6, house.start(days=-1))
    keeping = await house.offer(Terms(requests=KEEPING))
    with pytest.raises(NoTableForParty):
        await keeping.book(40)


async def test_a_request_that_is_confirmed_has_its_table(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = (await asking.book(6)).booking
    confirmed = await requests.confirm_request(house.app, house.organization, made.id, Answer(), actor=STAFF)
    assert (confirmed.status, confirmed.version) == (Status.CONFIRMED, 2)
    assert await house.seats_of(made.id) == {"T4"}
    assert await house.told() == ["Requested", "Confirmed"]
    assert await timers.scheduled(house.app.db, "request_expiry") == []
    (timer,) = await timers.scheduled(house.app.db, "no_show")
    assert timer.due_at == confirmed.missed_at
    again = await requests.confirm_request(house.app, house.organization, made.id, Answer(), actor=STAFF)
    assert again == confirmed


async def test_a_request_with_a_deposit_is_held_until_it_is_paid(house: House, payments: Payments) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX), deposit=DEPOSIT)
    made = await asking.book(6)
    assert (made.booking.status, made.payment, payments.asked) == (Status.REQUESTED, None, [])
    payments.down = True
    with pytest.raises(Unavailable):
        await requests.confirm_request(house.app, house.organization, made.booking.id, Answer(), actor=STAFF)
    payments.down = False
    held = await requests.confirm_request(
        house.app, house.organization, made.booking.id, Answer(), actor=STAFF
    )
    assert (held.status, held.version) == (Status.HELD, 2)
    assert payments.asked == [ids.show("bkg", made.booking.id)]
    assert held.hold_expires_at is not None
    assert held.hold_expires_at - held.created_at >= timedelta(hours=24)
    assert len(await timers.scheduled(house.app.db, "hold_expiry")) == 1
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingHeld)
    assert event.expires_at.seconds == int(held.hold_expires_at.timestamp())
    payment = await links.pay_managed_deposit(house.app, made.manage_token)
    assert payment.amount == Money(6000, "EUR")


async def test_a_hold_that_was_no_request_cannot_be_confirmed_without_money(house: House) -> None:
    made = (await house.book(6)).booking
    with pytest.raises(BookingStateConflict):
        await requests.confirm_request(house.app, house.organization, made.id, Answer(), actor=STAFF)


async def test_where_no_deposit_is_due_the_link_asks_for_none(house: House) -> None:
    made = await house.book(2)
    with pytest.raises(BookingStateConflict):
        await links.pay_managed_deposit(house.app, made.manage_token)


async def test_staff_choose_where_a_party_sits_that_no_table_takes(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = (await asking.book(11)).booking
    chosen = tuple(house.tables[each].id for each in ("T1", "T3", "T4"))
    confirm = house.app, house.organization, made.id
    with pytest.raises(NoTableForParty):
        await requests.confirm_request(*confirm, Answer(), actor=STAFF)
    with pytest.raises(NoTableForParty):
        await requests.confirm_request(*confirm, Answer(chosen[1:]), actor=STAFF)
    confirmed = await requests.confirm_request(*confirm, Answer(chosen), actor=STAFF)
    assert await house.seats_of(confirmed.id) == {"T1", "T3", "T4"}


async def test_staff_may_squeeze_a_party_in_and_the_history_says_so(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = (await asking.book(12)).booking
    squeeze = Override.of([Rule.PARTY_SIZE], "Children on laps")
    answer = Answer((house.tables["T4"].id,), squeeze)
    confirmed = await requests.confirm_request(house.app, house.organization, made.id, answer, actor=STAFF)
    assert confirmed.overridden == {Rule.PARTY_SIZE}
    assert await house.seats_of(made.id) == {"T4"}
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingConfirmed)
    assert len(event.booking.overridden) == 1


async def test_a_request_is_declined_with_a_reason(house: House) -> None:
    asking = await house.offer(Terms(requests=KEEPING))
    made = (await asking.book(6)).booking
    where = house.app, house.organization, made.id
    declined = await requests.decline_request(*where, Reason("full", "Wedding"), actor=STAFF)
    assert (declined.status, declined.ending) == (Status.DECLINED, Reason("full", "Wedding"))
    assert await house.occupied() == []
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingDeclined)
    assert event.reason_code == "full"
    assert await requests.decline_request(*where, Reason(), actor=STAFF) == declined
    with pytest.raises(BookingStateConflict) as refused:
        await requests.confirm_request(*where, Answer(), actor=STAFF)
    assert refused.value.metadata == {"status": "declined", "step": "confirm"}


async def test_a_request_that_nobody_answers_expires(house: House) -> None:
    asking = await house.offer(Terms(requests=KEEPING))
    made = await asking.book(6)
    await house.run_out(made)
    assert (await house.read(made.booking.id)).status is Status.EXPIRED
    with pytest.raises(BookingStateConflict):
        await requests.confirm_request(house.app, house.organization, made.booking.id, Answer(), actor=STAFF)
    await house.ring("request_expiry", made.booking.id)
    assert await house.history(made.booking.id) == [("requested", "guest"), ("expired", "clock")]
    assert await house.told() == ["Requested", "Expired"]
    assert await house.occupied() == []


async def test_the_room_of_a_request_that_ran_out_goes_to_whoever_comes(house: House) -> None:
    asking = await house.offer(Terms(requests=KEEPING))
    made = await asking.book(6)
    await house.run_out(made)
    assert (await asking.book(5)).booking.status is Status.CONFIRMED
    assert (await house.read(made.booking.id)).version == 2


async def test_a_guest_may_change_and_withdraw_a_request(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = await asking.book(6)
    moved = await links.move_managed_booking(house.app, made.manage_token, Move(house.start(20), 30))
    assert (moved.status, moved.party_size, moved.resource_ids) == (Status.REQUESTED, 30, ())
    cancelled = await links.cancel_managed_booking(house.app, made.manage_token)
    assert (cancelled.status, cancelled.cancelled_by) == (Status.CANCELLED, CancelledBy.GUEST)
    assert await house.told() == ["Requested", "Requested", "Cancelled"]
    assert await timers.scheduled(house.app.db, "request_expiry") == []


async def test_a_booked_party_cannot_grow_past_the_question(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    made = await asking.book(4)
    with pytest.raises(PartyAsksFirst):
        await links.move_managed_booking(house.app, made.manage_token, Move(party_size=6))
    grown = await changes.move_booking(
        house.app, house.organization, made.booking.id, Move(party_size=6), actor=STAFF
    )
    assert (grown.party_size, await house.seats_of(grown.id)) == (6, {"T4"})


async def test_of_two_requests_for_one_table_that_are_confirmed_at_once_one_wins(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    for days in range(3, 9):
        start = house.start(days=days)
        made = [(await asking.book(6, start + 900 * each)).booking for each in range(3)]
        answers = await asyncio.gather(
            *(
                requests.confirm_request(house.app, house.organization, each.id, Answer(), actor=STAFF)
                for each in made
            ),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in answers) == ["Booking", "SlotTaken", "SlotTaken"]
    assert await house.double_bookings() == 0


async def test_a_request_confirmed_and_withdrawn_at_once_is_one_or_the_other(house: House) -> None:
    asking = await house.offer(Terms(requests=FROM_SIX))
    for days in range(3, 9):
        made = (await asking.book(6, house.start(days=days))).booking
        await asyncio.gather(
            requests.confirm_request(house.app, house.organization, made.id, Answer(), actor=STAFF),
            changes.cancel_booking(house.app, house.organization, made.id, by=CancelledBy.GUEST, actor=GUEST),
            return_exceptions=True,
        )
        now = await house.read(made.id)
        assert now.status is Status.CANCELLED  # before or after the yes
        assert await house.seats_of(made.id) == set()
