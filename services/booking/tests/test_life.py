"""Visits on a real database: who took each step, and what is free afterwards."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from booking.domain.bookings import (
    Actor,
    ActorKind,
    BookingNotCancellable,
    BookingNotDue,
    BookingNotFound,
    BookingNotMovable,
    BookingStateConflict,
    CancelledBy,
    Reason,
    Status,
)
from booking.domain.refusals import NoTableForParty, SlotTaken
from booking.domain.terms import RequestRule, Terms
from booking.usecases import assignments, bookings, changes, requests, visits
from booking.usecases.assignments import Assignment
from booking.usecases.changes import Move
from booking.usecases.requests import Answer
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import VersionMismatch
from testkit import outbox, timers
from testkit.paging import WHOLE

from .conftest import House

STAFF = Actor(ActorKind.MEMBER, ids.new())
CONFLICTS = (BookingStateConflict, BookingNotMovable, BookingNotCancellable)


async def test_a_visit_from_late_to_gone(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=5)
    where = house.app, house.organization, made.id
    delayed = await visits.delay(*where, 20, actor=STAFF)
    assert (delayed.visit.late_minutes, delayed.version) == (20, 2)
    arrived = await visits.arrive(*where, actor=STAFF)
    seated = await visits.seat(*where, actor=STAFF)
    assert (arrived.status, seated.status) == (Status.ARRIVED, Status.SEATED)
    assert seated.visit.arrived_at == arrived.visit.arrived_at
    assert await house.seats_of(made.id) == {"T1"}
    completed = await visits.complete(*where, actor=STAFF)
    assert (completed.status, completed.live) == (Status.COMPLETED, False)
    assert await house.occupied() == []
    assert await house.read(made.id) == completed
    assert await house.told() == ["Confirmed", "Delayed", "Arrived", "Seated", "Completed"]
    assert [kind for kind, _ in await house.history(made.id)] == [
        "confirmed",
        "delayed",
        "arrived",
        "seated",
        "completed",
    ]
    assert await timers.scheduled(house.app.db, "no_show") == []


async def test_saying_the_same_twice_changes_nothing(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made)
    for step in (visits.arrive, visits.seat, visits.complete):
        once = await step(house.app, house.organization, made.id, actor=STAFF)
        again = await step(house.app, house.organization, made.id, actor=STAFF, expected_version=1)
        assert again == once
    assert len(await house.history(made.id)) == 4


async def test_a_step_on_what_has_changed_since_is_refused(house: House) -> None:
    made = (await house.book(2)).booking
    where = house.app, house.organization, made.id
    moved = await changes.move_booking(*where, Move(house.start(20), expected_version=1), actor=STAFF)
    assert moved.version == 2
    await house.begin(moved)
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: visits.delay(*where, 5, actor=STAFF, expected_version=1),
        lambda: visits.arrive(*where, actor=STAFF, expected_version=1),
        lambda: visits.seat(*where, actor=STAFF, expected_version=3),
        lambda: visits.miss(*where, actor=STAFF, expected_version=1),
        lambda: assignments.pin(*where, pinned=True, actor=STAFF, expected_version=1),
        lambda: assignments.assign(
            *where, Assignment((house.tables["T2"].id,), expected_version=1), actor=STAFF
        ),
        lambda: changes.cancel_booking(*where, by=CancelledBy.VENUE, actor=STAFF, expected_version=1),
    ]
    for attempt in attempts:
        with pytest.raises(VersionMismatch):
            await attempt()
    assert (await house.read(made.id)).version == 2
    await visits.arrive(*where, actor=STAFF, expected_version=2)


async def test_another_tenants_booking_takes_no_step(house: House) -> None:
    made = (await house.book(2)).booking
    for step in (visits.arrive, visits.seat, visits.complete, visits.miss):
        with pytest.raises(BookingNotFound):
            await step(house.app, ids.new(), made.id, actor=STAFF)


async def test_a_guest_who_does_not_come_is_missed_after_the_grace_and_the_table_is_free(
    house: House,
) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=29)
    await house.ring("no_show", made.id)
    assert (await house.read(made.id)).status is Status.CONFIRMED
    (timer,) = await timers.scheduled(house.app.db, "no_show")
    assert timedelta() < timer.due_at - datetime.now(UTC) <= timedelta(minutes=1)
    await house.begin(made, minutes_ago=31)
    await house.ring("no_show", made.id)
    missed = await house.read(made.id)
    assert (missed.status, missed.version, await house.occupied()) == (Status.NO_SHOW, 2, [])
    assert (await house.history(made.id))[-1] == ("no_show", "clock")
    assert isinstance((await outbox.published(house.app.db))[-1], events_pb2.BookingNoShow)
    assert await timers.scheduled(house.app.db, "no_show") == []


async def test_a_guest_who_told_to_be_late_is_waited_for(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=31)
    await visits.delay(house.app, house.organization, made.id, 30, actor=STAFF)
    await house.ring("no_show", made.id)
    assert (await house.read(made.id)).status is Status.CONFIRMED


async def test_who_arrived_is_not_missed_by_a_timer_that_rings_all_the_same(house: House) -> None:
    made = (await house.book(2)).booking
    (timer,) = await timers.scheduled(house.app.db, "no_show")
    await house.begin(made, minutes_ago=40)
    await visits.arrive(house.app, house.organization, made.id, actor=STAFF)
    await visits.end_wait(house.app, timer)
    assert (await house.read(made.id)).status is Status.ARRIVED


async def test_a_timer_that_rings_much_too_late_leaves_the_decision_to_staff(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=95)
    await house.ring("no_show", made.id)
    assert (await house.read(made.id)).status is Status.CONFIRMED
    assert await timers.scheduled(house.app.db, "no_show") == []


async def test_where_only_staff_decide_no_timer_waits(house: House) -> None:
    quiet = await house.offer(Terms(grace_minutes=None))
    made = (await quiet.book(2)).booking
    assert await timers.scheduled(house.app.db, "no_show") == []
    await house.begin(made, minutes_ago=1)
    missed = await visits.miss(house.app, house.organization, made.id, actor=STAFF)
    assert (missed.status, (await house.history(made.id))[-1]) == (Status.NO_SHOW, ("no_show", "member"))


async def test_a_guest_who_comes_after_all_sits_where_they_would_have_or_elsewhere(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=40)
    where = house.app, house.organization, made.id
    await visits.miss(*where, actor=STAFF)
    back = await visits.seat(*where, actor=STAFF)
    assert (back.status, await house.seats_of(made.id)) == (Status.SEATED, {"T1"})
    ((_, since, until),) = await house.occupied()
    assert since == back.visit.seated_at
    assert until == back.end
    await visits.complete(*where, actor=STAFF)

    other = (await house.book(2)).booking
    assert other.resource_ids == (house.tables["T1"].id,)
    await house.begin(other, minutes_ago=40)
    await visits.miss(house.app, house.organization, other.id, actor=STAFF)
    third = (await house.book(2)).booking
    await house.begin(third)
    back = await visits.arrive(house.app, house.organization, other.id, actor=STAFF)
    assert await house.seats_of(other.id) == {"T2"}
    assert await house.double_bookings() == 0


async def test_a_guest_who_comes_after_all_may_find_no_room(house: House) -> None:
    made = (await house.book(5)).booking
    await house.begin(made, minutes_ago=40)
    await visits.miss(house.app, house.organization, made.id, actor=STAFF)
    await house.begin((await house.book(5)).booking)
    with pytest.raises(SlotTaken):
        await visits.arrive(house.app, house.organization, made.id, actor=STAFF)
    assert (await house.read(made.id)).status is Status.NO_SHOW


async def test_whoever_was_marked_as_arrived_by_mistake_can_be_missed(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=1)
    await visits.arrive(house.app, house.organization, made.id, actor=STAFF)
    missed = await visits.miss(house.app, house.organization, made.id, actor=STAFF)
    assert (missed.status, missed.visit.arrived_at) == (Status.NO_SHOW, None)


async def test_moving_and_cancelling_take_the_timer_along(house: House) -> None:
    made = (await house.book(2)).booking
    moved = await changes.move_booking(
        house.app, house.organization, made.id, Move(house.start(20)), actor=STAFF
    )
    (timer,) = await timers.scheduled(house.app.db, "no_show")
    assert timer.due_at == moved.start + timedelta(minutes=30)
    await changes.cancel_booking(
        house.app, house.organization, made.id, by=CancelledBy.VENUE, actor=STAFF, reason=Reason("weather")
    )
    assert await timers.scheduled(house.app.db, "no_show") == []


async def test_the_history_tells_what_changed_and_why(house: House) -> None:
    made = (await house.book(2)).booking
    where = house.app, house.organization, made.id
    await changes.move_booking(*where, Move(house.start(20), 4), actor=STAFF)
    why = Reason("illness", "Called at noon")
    cancelled = await changes.cancel_booking(*where, by=CancelledBy.GUEST, actor=STAFF, reason=why)
    assert cancelled.ending == why
    booked, moved, ended = (await bookings.list_history(*where, WHOLE))[1]
    assert (booked.version, dict(booked.differences)) == (1, {})
    assert moved.differences["party_size"] == [2, 4]
    assert moved.differences["start"][1] == cancelled.start.isoformat()
    assert moved.differences["resource_ids"] == [
        [str(house.tables["T1"].id)],
        [str(house.tables["T3"].id)],
    ]
    assert (ended.actor, ended.reason) == (STAFF, why)
    assert ended.differences == {"status": ["confirmed", "cancelled"]}
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingCancelled)
    assert event.reason_code == "illness"
    assert b"noon" not in event.SerializeToString()


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_staff_do_a_booking_has_its_rows_exactly_while_it_lives(
    house: House, seed: int
) -> None:
    random = Random(seed)  # noqa: S311
    asking = await house.offer(Terms(requests=RequestRule(1, holds_capacity=seed % 2 == 0)))
    made = (await (asking if seed % 4 else house).book(2)).booking
    where = house.app, house.organization, made.id
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: requests.confirm_request(*where, Answer(), actor=STAFF),
        lambda: requests.decline_request(*where, Reason("full"), actor=STAFF),
        lambda: changes.move_booking(*where, Move(party_size=random.randint(1, 4)), actor=STAFF),
        lambda: assignments.assign(*where, Assignment((house.tables["T3"].id,)), actor=STAFF),
        lambda: house.begin(made, minutes_ago=1),
        lambda: visits.arrive(*where, actor=STAFF),
        lambda: visits.seat(*where, actor=STAFF),
        lambda: visits.miss(*where, actor=STAFF),
        lambda: visits.complete(*where, actor=STAFF),
        lambda: changes.cancel_booking(*where, by=CancelledBy.VENUE, actor=STAFF),
    ]
    weights = [3, 0.2, 2, 2, 0.5, 2, 2, 1, 0.5, 0.3]
    for _ in range(14):
        (step,) = random.choices(steps, weights)
        with suppress(*CONFLICTS, BookingNotDue, NoTableForParty):
            await step()
        now = await house.read(made.id)
        assert bool(await house.occupied()) == now.live
        assert {house.tables[name].id for name in await house.seats_of(made.id)} == (
            set(now.resource_ids) if now.live else set()
        )
        assert len(await house.history(made.id)) == now.version
