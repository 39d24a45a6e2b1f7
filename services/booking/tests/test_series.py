"""Series on a real database: made, changed, split and called off, all of it or nothing."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from booking.app import App
from booking.domain.bookings import BookingNotCancellable, BookingNotMovable, CancelledBy, Reason, Status
from booking.domain.closures import Closure
from booking.domain.offerings import OfferingNotFound
from booking.domain.recurrence import RecurrenceUnbounded
from booking.domain.series import (
    OccurrenceNotFound,
    Scope,
    SeriesConflicts,
    SeriesNeedsDeposit,
    SeriesNotFound,
    SeriesOver,
)
from booking.domain.texts import Inconsistent
from booking.usecases import changes, closures, series, series_changes, venues
from booking.usecases.changes import Move
from booking.usecases.series import View
from booking.usecases.series_changes import Part, Revision
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import IdempotencyKeyReused, VersionMismatch
from testkit import outbox

from .conftest import House, Payments, open_house
from .series import STAFF, WEEKS, repeat, rows, states


@pytest.fixture
async def single(app: App, payments: Payments) -> House:
    """One table for two."""
    return await open_house(app, payments, tables=(("T1", 1, 2),), joined=())


async def change(house: House, view: View, part: Part, **revision: Any) -> View:
    return await series_changes.change_series(
        house.app,
        house.organization,
        view.series.id,
        part,
        Revision(**revision),
        actor=STAFF,
    )


async def cancel(house: House, view: View, part: Part, reason: str = "") -> View:
    return await series_changes.cancel_series(
        house.app, house.organization, view.series.id, part, actor=STAFF, reason=Reason(reason)
    )


async def read(house: House, view: View) -> View:
    return await series.get_series(house.app, house.organization, view.series.id)


def of(view: View, number: int) -> UUID:
    """The booking of an occurrence."""
    booking = view.occurrences[number].booking
    assert booking is not None
    return booking.id


async def begin(house: House, view: View, number: int) -> None:
    """Lets an occurrence have begun."""
    booking = view.occurrences[number].booking
    assert booking is not None
    await house.begin(booking, minutes_ago=5)


async def names(house: House) -> Counter[str]:
    return Counter(type(event).__name__ for event in await outbox.published(house.app.db))


async def open_all_night(house: House) -> House:
    """The same house with an offering from one to five in the morning, two years ahead."""
    offering = await venues.add_offering(
        house.app,
        house.organization,
        house.ref,
        name="Night",
        turn_times=house.offering.turn_times,
        deposit=None,
        slot_minutes=15,
        min_notice_minutes=0,
        max_advance_days=730,
    )
    await venues.add_shift(
        house.app,
        house.organization,
        house.ref,
        offering_id=offering.id,
        weekdays=range(1, 8),
        opens="01:00",
        last_start="04:00",
        closes="05:00",
    )
    return replace(house, offering=offering)


async def test_every_occurrence_is_a_booking_at_the_same_local_time(house: House) -> None:
    made = await repeat(house, "FREQ=WEEKLY;COUNT=4", excluded=(house.day(14),), added=(house.day(9),))
    assert states(made) == ["booked"] * 4
    assert [each.date for each in made.occurrences] == [house.day(each) for each in (7, 9, 21, 28)]
    for each in made.occurrences:
        booking = each.booking
        assert booking is not None
        assert int(booking.start.timestamp()) == house.start(days=(each.date - house.day(0)).days)
        assert (booking.status, booking.series_id, booking.series_date) == (
            Status.CONFIRMED,
            made.series.id,
            each.date,
        )
        assert (booking.guest.name, booking.notes) == ("Claire", "By the window")
        assert await house.seats_of(booking.id) == {"T1"}
        assert await house.history(booking.id) == [("confirmed", "member")]
    guests = {each.booking.guest.id for each in made.occurrences if each.booking}
    assert len(guests | {made.series.guest.id}) == 5
    told = await names(house)
    assert (told["BookingConfirmed"], told["SeriesCreated"]) == (4, 1)
    assert await read(house, made) == made


async def test_all_or_nothing_leaves_nothing_behind_and_names_every_conflict(single: House) -> None:
    await single.book(2, single.start(days=14))
    closure = Closure(ids.new(), (), single.day(21), single.day(21))
    await closures.create_closure(single.app, single.organization, single.ref, closure)
    before = await rows(single)
    with pytest.raises(SeriesConflicts) as refused:
        await repeat(single, "FREQ=WEEKLY;COUNT=14", key="k")
    assert refused.value.metadata["conflicts"].split(",") == [
        f"{single.day(14)} SLOT_TAKEN",
        f"{single.day(21)} SLOT_CLOSED",
        f"{single.day(91)} SLOT_TOO_FAR_AHEAD",
        f"{single.day(98)} SLOT_TOO_FAR_AHEAD",
    ]
    assert await rows(single) == before


async def test_what_cannot_be_had_is_left_out_and_named(single: House) -> None:
    await single.book(2, single.start(days=14))
    made = await repeat(single, "FREQ=WEEKLY;COUNT=3", skip=True)
    assert states(made) == ["booked", "skipped", "booked"]
    assert (made.occurrences[1].date, made.occurrences[1].reason) == (single.day(14), "SLOT_TAKEN")
    assert len(await single.occupied()) == 3
    with pytest.raises(SeriesConflicts):
        await repeat(single, "FREQ=WEEKLY;COUNT=3", skip=True)
    assert len(await single.occupied()) == 3


async def test_the_same_key_makes_one_series(house: House) -> None:
    made = await repeat(house, key="k")
    before = await rows(house)
    assert await repeat(house, key="k") == made
    assert await rows(house) == before
    with pytest.raises(IdempotencyKeyReused):
        await repeat(house, "FREQ=WEEKLY;COUNT=3", key="k")
    twins = await asyncio.gather(*(repeat(house, days=8, key="twins") for _ in range(4)))
    assert len({each.series.id for each in twins}) == 1
    assert (await rows(house))["bookings"] == 8


async def test_what_is_no_series_is_refused(house: House) -> None:
    before = await rows(house)
    with pytest.raises(SeriesNeedsDeposit):
        await repeat(house, party_size=6)
    with pytest.raises(OfferingNotFound):
        await repeat(house, offering_id=ids.new())
    with pytest.raises(RecurrenceUnbounded):
        await repeat(house, "FREQ=WEEKLY")
    assert await rows(house) == before


async def test_an_occurrence_that_goes_its_own_way_is_remembered(house: House) -> None:
    made = await repeat(house)
    await changes.move_booking(
        house.app, house.organization, of(made, 1), Move(house.start(21, days=15)), actor=STAFF
    )
    await changes.cancel_booking(
        house.app, house.organization, of(made, 2), by=CancelledBy.GUEST, actor=STAFF
    )
    seen = await read(house, made)
    assert states(seen) == ["booked", "changed", "cancelled", "booked"]
    assert [each.date for each in seen.occurrences] == [house.day(7) + each for each in WEEKS[:4]]
    changed = await change(house, seen, Part(Scope.ALL), at=time(20))
    assert states(changed) == ["booked", "changed", "cancelled", "booked"]
    assert (await house.read(of(made, 1))).start.timestamp() == house.start(21, days=15)
    gone = await cancel(house, seen, Part(Scope.ALL), "closing")
    assert states(gone) == ["cancelled"] * 4
    assert (await house.read(of(made, 1))).ending.code == "closing"
    assert gone.series.ended


async def test_all_are_changed_in_place_while_none_has_begun(house: House) -> None:
    made = await repeat(house)
    changed = await change(house, made, Part(Scope.ALL), at=time(20, 15), party_size=4, notes="Quiet")
    assert states(changed) == ["booked"] * 4
    assert (changed.series.id, changed.series.version, changed.series.schedule.time) == (
        made.series.id,
        2,
        time(20, 15),
    )
    for each in changed.occurrences:
        booking = each.booking
        assert booking is not None
        assert (booking.party_size, booking.notes) == (4, "Quiet")
        assert booking.start.timestamp() == house.start(20, 15, days=(each.date - house.day(0)).days)
        assert await house.seats_of(booking.id) == {"T3"}
        assert [kind for kind, _ in await house.history(booking.id)] == ["confirmed", "moved", "noted"]
    told = await names(house)
    assert (told["BookingMoved"], told["SeriesChanged"]) == (4, 1)


async def test_notes_alone_tell_nobody_that_anything_moved(house: House) -> None:
    made = await repeat(house)
    changed = await change(house, made, Part(Scope.THIS_AND_FOLLOWING, house.day(21)), notes="Quiet")
    notes = [
        each.booking.notes
        for each in (*(await read(house, made)).occurrences, *changed.occurrences)
        if each.booking
    ]
    assert notes == ["By the window"] * 2 + ["Quiet"] * 2
    assert (await names(house))["BookingMoved"] == 0


async def test_this_and_the_following_become_a_series_of_their_own(house: House) -> None:
    made = await repeat(house)
    split = await change(house, made, Part(Scope.THIS_AND_FOLLOWING, house.day(21)), at=time(20))
    before = await read(house, made)
    assert split.series.origin_id == made.series.id
    assert (states(before), states(split)) == (["booked"] * 2, ["booked"] * 2)
    until = f"{house.day(20):%Y%m%d}"
    assert before.series.schedule.rule.text() == f"FREQ=WEEKLY;UNTIL={until}"
    assert (split.series.schedule.rule.text(), split.series.schedule.first) == (
        "FREQ=WEEKLY;COUNT=2",
        house.day(21),
    )
    assert [each.booking.series_id for each in split.occurrences if each.booking] == [split.series.id] * 2
    created = [
        each for each in await outbox.published(house.app.db) if isinstance(each, events_pb2.SeriesCreated)
    ]
    assert created[-1].origin_id == ids.show("ser", made.series.id)
    # A part of the part.
    again = await change(house, split, Part(Scope.THIS_AND_FOLLOWING, house.day(28)), party_size=3)
    assert again.series.origin_id == split.series.id
    assert states(again) == states(await read(house, split)) == ["booked"]


async def test_what_has_begun_never_changes(house: House) -> None:
    made = await repeat(house)
    await begin(house, made, 0)
    begun = await house.read(of(made, 0))
    with pytest.raises(BookingNotMovable):
        await change(house, made, Part(Scope.THIS, house.day(7)), at=time(20))
    with pytest.raises(BookingNotCancellable):
        await cancel(house, made, Part(Scope.THIS, house.day(7)))
    rest = await change(house, made, Part(Scope.ALL), at=time(20))
    assert (rest.series.id != made.series.id, len(rest.occurrences)) == (True, 3)
    await cancel(house, rest, Part(Scope.THIS_AND_FOLLOWING, house.day(14)))
    assert await house.read(of(made, 0)) == begun
    for part in (Part(Scope.ALL), Part(Scope.THIS_AND_FOLLOWING, house.day(7))):
        with pytest.raises(SeriesOver):
            await change(house, made, part, at=time(20))
        with pytest.raises(SeriesOver):
            await cancel(house, made, part)


async def test_a_change_is_had_by_all_or_by_none(single: House) -> None:
    made = await repeat(single)
    await single.book(2, single.start(21, days=21))
    before = await rows(single), await read(single, made)
    with pytest.raises(SeriesConflicts) as refused:
        await change(single, made, Part(Scope.ALL), at=time(20))
    assert refused.value.metadata == {"conflicts": f"{single.day(21)} SLOT_TAKEN"}
    assert (await rows(single), await read(single, made)) == before
    changed = await change(single, made, Part(Scope.ALL), at=time(20), skip=True)
    assert states(changed) == ["booked", "booked", "changed", "booked"]
    assert [(each.date, each.reason) for each in changed.conflicts] == [(single.day(21), "SLOT_TAKEN")]
    assert (await single.read(of(made, 2))).start.timestamp() == single.start(days=21)
    assert await single.double_bookings() == 0


async def test_one_occurrence_changes_by_itself(house: House) -> None:
    made = await repeat(house)
    changed = await change(house, made, Part(Scope.THIS, house.day(14)), at=time(20), party_size=3)
    assert states(changed) == ["booked", "changed", "booked", "booked"]
    assert changed.series == made.series
    gone = await cancel(house, made, Part(Scope.THIS, house.day(14)))
    assert states(gone) == ["booked", "cancelled", "booked", "booked"]
    assert states(await cancel(house, made, Part(Scope.THIS, house.day(14)))) == states(gone)
    assert not gone.series.ended


async def test_what_follows_is_called_off(house: House) -> None:
    made = await repeat(house)
    gone = await cancel(house, made, Part(Scope.THIS_AND_FOLLOWING, house.day(21)), "illness")
    assert states(gone) == ["booked", "booked", "cancelled", "cancelled"]
    assert gone.series.ended
    assert gone.series.schedule.dates() == [house.day(7), house.day(14)]
    assert len(await house.occupied()) == 2
    booking = await house.read(of(made, 3))
    assert (booking.cancelled_by, booking.ending.code) == (CancelledBy.VENUE, "illness")
    (ended,) = (
        each for each in await outbox.published(house.app.db) if isinstance(each, events_pb2.SeriesEnded)
    )
    assert (ended.from_date, len(ended.booking_ids)) == (house.day(21).isoformat(), 2)
    with pytest.raises(SeriesOver):
        await cancel(house, made, Part(Scope.THIS_AND_FOLLOWING, house.day(28)))


async def test_changes_of_what_is_not_there_are_refused(house: House, single: House) -> None:
    made = await repeat(house)
    with pytest.raises(OccurrenceNotFound):
        await change(house, made, Part(Scope.THIS, house.day(8)), at=time(20))
    with pytest.raises(OccurrenceNotFound):
        await cancel(house, made, Part(Scope.THIS_AND_FOLLOWING, house.day(8)))
    with pytest.raises(VersionMismatch):
        await cancel(house, made, Part(Scope.ALL, expected_version=2))
    with pytest.raises(VersionMismatch):
        await change(house, made, Part(Scope.ALL, expected_version=2), party_size=3)
    with pytest.raises(Inconsistent):
        await change(house, made, Part(Scope.ALL))
    with pytest.raises(SeriesNeedsDeposit):
        await change(house, made, Part(Scope.ALL), party_size=6)
    for attempt in (read(single, made), cancel(single, made, Part(Scope.ALL))):
        with pytest.raises(SeriesNotFound):
            await attempt
    await single.book(2)
    skipped = await repeat(single, skip=True)
    with pytest.raises(OccurrenceNotFound):
        await change(single, skipped, Part(Scope.THIS, single.day(7)), at=time(20))


async def test_a_local_time_that_comes_twice_is_a_conflict_of_its_own(app: App, payments: Payments) -> None:
    house = await open_all_night(await open_house(app, payments))
    autumn = next(
        day for day in map(house.day, range(7, 500)) if (day.month, day.weekday()) == (10, 6) and day.day > 24
    )
    first = autumn - timedelta(days=1)
    with pytest.raises(SeriesConflicts) as refused:
        await repeat(house, "FREQ=DAILY;COUNT=3", first=datetime.combine(first, time(2, 30)))
    assert refused.value.metadata == {"conflicts": f"{autumn} LOCAL_TIME_AMBIGUOUS"}
    some = await repeat(house, "FREQ=DAILY;COUNT=3", first=datetime.combine(first, time(2, 30)), skip=True)
    assert states(some) == ["booked", "skipped", "booked"]
    assert some.occurrences[1].reason == "LOCAL_TIME_AMBIGUOUS"
    local = [each.booking.start.astimezone(some.series.zone) for each in some.occurrences if each.booking]
    assert [f"{each:%H:%M}" for each in local] == ["02:30", "02:30"]
    assert local[0].utcoffset() != local[1].utcoffset()
