"""Changing when a venue is open, on the real database: what is kept, refused, shown, and who is stranded."""

import asyncio
from datetime import date, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, CancelledBy
from booking.domain.clock import Lead
from booking.domain.closures import Closure, ClosureNotFound
from booking.domain.offerings import OfferingNotFound
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import SlotClosed, SlotEndsTooLate, SlotNotReleased, SlotTooSoon
from booking.domain.shifts import ShiftNotFound, ShiftsOverlap
from booking.domain.stranded import Stranding
from booking.domain.texts import Inconsistent
from booking.domain.venues import PartDeleted, UnknownTimeZone, VenueHasBookings, VenueRef
from booking.domain.windows import DateException, DateExceptionNotFound, DateExceptionTaken, Window
from booking.usecases import blocks, bookings, changes, closures, hours, stranded, venues
from booking.usecases.availability import search_availability
from booking.usecases.blocks import Blocking
from booking.usecases.changes import Move
from booking.usecases.hours import Changed, Times
from comptoir.booking.v1 import events_pb2
from servicekit import idempotency, ids
from servicekit.errors import AppError
from testkit import outbox
from testkit.callers import member
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())
MORNING = Window.of("10:00", "11:00", "12:00")


async def close(house: House, first: date | None = None, **fields: Any) -> Changed[Closure]:
    day = first or house.day()
    told = {"first": day, "last": day, "begins": "", "ends": "", "cuts_tail": False, "note": "", **fields}
    closure = Closure.plan(ids.new(), offering_ids=told.pop("offering_ids", ()), reason="a wedding", **told)
    return await closures.create_closure(house.app, house.organization, house.ref, closure)


async def except_(house: House, *windows: Window, day: date | None = None) -> Changed[DateException]:
    return await hours.create_exception(
        house.app,
        house.organization,
        house.ref,
        offering_id=house.offering.id,
        service_date=day or house.day(),
        windows=windows,
        reason="a wedding",
        note="We celebrate.",
    )


async def update_shift(house: House, **fields: Any) -> Changed[Any]:
    (shift,) = (await venues.list_shifts(house.app, house.organization, house.ref, WHOLE))[0]
    told = {"weekdays": range(1, 8), "opens": "19:00", "last_start": "22:00", "closes": "23:30", **fields}
    told.setdefault("must_finish", False)
    return await hours.update_shift(house.app, house.organization, house.ref, shift.id, **told)


async def reasons(house: House, first: int = 0, last: int = 30) -> list[tuple[UUID, Stranding]]:
    _, found, _ = await stranded.list_stranded(
        house.app, house.organization, house.ref, house.day(first), house.day(last), page=WHOLE
    )
    return [(each.commitment.booking_id, each.reason) for each in found]


async def shown(house: House, day: date | None = None) -> tuple[dict[str, str | None], list[str]]:
    """What becomes of each start for two, by local time, and what the venue says."""
    found = await search_availability(
        house.app, house.ref, day or house.day(), party_size=2, offering_id=house.offering.id
    )
    local = {each: (house.start(each // 60, each % 60)) for each in range(0, 1440, 15)}
    names = {start: f"{each // 60:02}:{each % 60:02}" for each, start in local.items()}
    return {
        names.get(slot.start, "?"): slot.refusal and slot.refusal.value for slot in found.slots
    }, found.notes


async def test_a_closed_day_shows_its_usual_starts_as_closed_and_says_why(house: House) -> None:
    made = await close(house, note="A wedding.")
    slots, notes = await shown(house)
    assert set(slots.values()) == {"closed"}
    assert len(slots) == 13
    assert notes == ["A wedding."]
    with pytest.raises(SlotClosed):
        await house.book()
    await closures.delete_closure(house.app, house.organization, house.ref, made.made.id)
    assert set((await shown(house))[0].values()) == {None}
    await house.book()
    with pytest.raises(ClosureNotFound):
        await closures.delete_closure(house.app, house.organization, house.ref, made.made.id)


async def test_a_date_has_its_own_hours_until_they_are_deleted(house: House) -> None:
    made = await except_(house, MORNING)
    slots, notes = await shown(house)
    assert list(slots) == ["10:00", "10:15", "10:30", "10:45", "11:00"]
    assert notes == ["We celebrate."]
    await house.book(start=house.start(10))
    with pytest.raises(DateExceptionTaken):
        await except_(house)
    app, organization, ref = house.app, house.organization, house.ref
    again = await hours.update_exception(app, organization, ref, made.made.id, windows=(), reason="", note="")
    assert len(again.stranded) == 1
    assert set((await shown(house))[0].values()) == {"closed"}
    (kept,) = (await hours.list_exceptions(app, organization, ref, house.day(), house.day(), page=WHOLE))[0]
    assert (kept, kept.windows) == (again.made, ())
    await hours.delete_exception(app, organization, ref, made.made.id)
    assert set((await shown(house))[0].values()) == {None}
    with pytest.raises(DateExceptionNotFound):
        await hours.delete_exception(app, organization, ref, made.made.id)


async def test_a_closure_is_listed_by_the_days_it_touches_and_replaced(house: House) -> None:
    made = (await close(house, house.day(10), last=house.day(12))).made
    app, organization, ref = house.app, house.organization, house.ref
    for first, last, found in ((0, 9, []), (9, 10, [made]), (12, 40, [made]), (13, 40, [])):
        listed = (
            await closures.list_closures(
                app, organization, ref, house.day(first), house.day(last), page=WHOLE
            )
        )[0]
        assert listed == found
    moved = Closure(made.id, (house.offering.id,), house.day(20), house.day(20), begins=600, ends=1440)
    await closures.update_closure(app, organization, ref, moved)
    assert (await closures.list_closures(app, organization, ref, house.day(), house.day(40), page=WHOLE))[
        0
    ] == [moved]
    for wrong in (
        Closure(made.id, (ids.new(),), moved.first, moved.last),
        Closure(ids.new(), (), moved.first, moved.last),
    ):
        with pytest.raises(OfferingNotFound if wrong.offering_ids else ClosureNotFound):
            await closures.update_closure(app, organization, ref, wrong)
    with pytest.raises(Inconsistent):
        await closures.list_closures(app, organization, ref, house.day(), house.day(400), page=WHOLE)


async def test_a_closure_names_who_is_stranded_and_staff_act_on_it(house: House) -> None:
    first, second = (await house.book()).booking, (await house.book(start=house.start(21))).booking
    other_day = (await house.book(start=house.start(days=9))).booking
    made = await close(house, begins="20:45", ends="24:00")
    assert made.stranded == [second.id]
    whole = await close(house)
    assert whole.stranded == [first.id, second.id]
    assert await reasons(house) == [(first.id, Stranding.CLOSED), (second.id, Stranding.CLOSED)]
    await changes.move_booking(
        house.app, house.organization, first.id, Move(house.start(days=8)), actor=STAFF
    )
    await changes.cancel_booking(house.app, house.organization, second.id, by=CancelledBy.VENUE, actor=STAFF)
    assert await reasons(house) == []
    assert (await house.read(other_day.id)).start == other_day.start


async def test_every_change_of_hours_strands_who_does_not_fit_any_more(house: House) -> None:
    app, organization, ref = house.app, house.organization, house.ref
    late = (await house.book(start=house.start(22))).booking
    assert (await update_shift(house, last_start="22:00", must_finish=True)).stranded == []
    assert (await update_shift(house, last_start="22:00", closes="23:00", must_finish=True)).stranded == [
        late.id
    ]
    assert await reasons(house) == [(late.id, Stranding.MUST_FINISH)]
    assert (await update_shift(house, last_start="21:45")).stranded == [late.id]
    assert await reasons(house) == [(late.id, Stranding.CLOSED)]
    assert (await update_shift(house, opens="18:50")).stranded == []  # another grid, and open all the same
    (shift,) = (await venues.list_shifts(app, organization, ref, WHOLE))[0]
    assert (await hours.delete_shift(app, organization, ref, shift.id)).stranded == [late.id]
    with pytest.raises(ShiftNotFound):
        await hours.delete_shift(app, organization, ref, shift.id)


async def test_what_staff_booked_beside_the_hours_and_what_is_over_is_not_stranded(house: House) -> None:
    wish = house.wish(start=house.start(12))
    override = Override.of([Rule.CLOSED], "a friend")
    caller = member(house.organization)
    set_aside = type(wish).of(
        wish.guest, offering_id=wish.offering_id, start=wish.start, party_size=2, notes="", override=override
    )
    await bookings.create_booking(house.app, house.ref, set_aside, caller=caller)
    gone = (await house.book()).booking
    await changes.cancel_booking(house.app, house.organization, gone.id, by=CancelledBy.GUEST, actor=STAFF)
    held = await house.book(6)
    await house.run_out(held)
    begun = (await house.book(start=house.start(20))).booking
    await house.begin(begun, minutes_ago=10)
    assert (await close(house)).stranded == []


async def test_a_booking_at_a_blocked_resource_is_stranded(house: House) -> None:
    made = (await house.book()).booking
    blocking = Blocking((), None, house.start(9), house.start(23), "", strand=True)
    await blocks.create_block(house.app, house.organization, house.ref, blocking, actor=STAFF)
    assert await reasons(house) == [(made.id, Stranding.RESOURCE_OUT_OF_SERVICE)]


@pytest.mark.parametrize("before", [0, 1])
async def test_a_closure_misses_no_booking_that_is_being_made(house: House, before: int) -> None:
    """Also the first one of a day, which has no row yet that could be locked."""
    for days in range(7, 62, 5):
        made = {(await house.book(start=house.start(21, days=days))).booking.id for _ in range(before)}
        tries = [house.book(party, house.start(19, days=days)) for party in (2, 2, 4)]
        *booked, closed = cast(
            "list[Any]",
            await asyncio.gather(*tries, close(house, house.day(days)), return_exceptions=True),
        )
        for each in booked:
            if isinstance(each, BaseException):
                assert isinstance(each, SlotClosed)
            else:
                made.add(each.booking.id)
        assert isinstance(closed, Changed)
        assert set(closed.stranded) == made


async def test_hours_that_lie_over_each_other_are_refused_whoever_comes_second(house: House) -> None:
    app, organization, ref = house.app, house.organization, house.ref
    night = Window.of("22:00", "23:00", "03:00")
    with pytest.raises(ShiftsOverlap):
        await except_(house, MORNING, Window.of("11:59", "12:00", "13:00"))
    made = (await except_(house, night)).made
    with pytest.raises(ShiftsOverlap) as refusal:
        await update_shift(house, opens="02:00", last_start="03:00", closes="04:00")
    assert refusal.value.metadata == {"date": made.service_date.isoformat()}
    early = (await except_(house, Window.of("03:00", "04:00", "05:00"), day=house.day(8))).made
    with pytest.raises(ShiftsOverlap):
        await hours.update_exception(
            app,
            organization,
            ref,
            early.id,
            windows=[Window.of("02:59", "04:00", "05:00")],
            reason="",
            note="",
        )
    with pytest.raises(ShiftsOverlap):
        await venues.add_shift(
            app,
            organization,
            ref,
            offering_id=house.offering.id,
            weekdays=[early.service_date.isoweekday() % 7 + 1],
            opens="19:00",
            last_start="20:00",
            closes="20:30",
        )


async def test_a_repeated_request_makes_one_closure_and_one_exception(house: House) -> None:
    app, organization, ref = house.app, house.organization, house.ref
    made: list[Any] = []
    for _ in range(2):
        idempotency.bind(idempotency.Key("close", b""))
        made.append((await close(house)).made)
        idempotency.bind(idempotency.Key("except", b""))
        made.append((await except_(house, MORNING)).made)
    idempotency.bind(None)
    assert made[:2] == made[2:]
    assert (
        len((await closures.list_closures(app, organization, ref, house.day(), house.day(), page=WHOLE))[0])
        == 1
    )
    await closures.delete_closure(app, organization, ref, made[0].id)
    idempotency.bind(idempotency.Key("close", b""))
    with pytest.raises(PartDeleted):
        await close(house)
    idempotency.bind(None)


async def test_hours_are_published_whole_without_what_staff_noted(app: App, payments: Payments) -> None:
    house = await open_house(app, payments)
    await close(house, note="A wedding.")
    await except_(house, MORNING, day=house.day(8))
    *_, last = await outbox.published(app.db)
    assert isinstance(last, events_pb2.VenueCapacityChanged)
    assert len(last.shifts) == 1
    (closure,), (exception,) = last.closures, last.exceptions
    assert (closure.first_date, closure.note, closure.reason) == (house.day().isoformat(), "A wedding.", "")
    assert ([each.opens for each in exception.windows], exception.reason) == (["10:00"], "")


async def test_the_zone_of_a_venue_stays_while_bookings_are_to_come(house: House) -> None:
    app, organization, ref = house.app, house.organization, house.ref
    made = (await house.book()).booking
    with pytest.raises(VenueHasBookings) as refusal:
        await venues.update_venue(app, organization, ref, time_zone="Europe/Berlin")
    assert refusal.value.metadata == {"booking_ids": ids.show("bkg", made.id), "bookings": "1"}
    renamed = await venues.update_venue(
        app, organization, ref, name="Paulette", address="", time_zone="Europe/Paris"
    )
    assert (renamed.name, renamed.address, renamed.time_zone) == ("Paulette", "", "Europe/Paris")
    with pytest.raises(UnknownTimeZone):
        await venues.update_venue(app, organization, ref, time_zone="Mars/Base")
    await changes.cancel_booking(app, organization, made.id, by=CancelledBy.VENUE, actor=STAFF)
    moved = await venues.update_venue(app, organization, ref, time_zone="America/New_York")
    assert (moved.time_zone, moved.name) == ("America/New_York", "Paulette")
    assert await venues.get_venue(app, ref) == moved
    *_, last = await outbox.published(app.db)
    assert isinstance(last, events_pb2.VenueChanged)
    assert last.venue.time_zone == "America/New_York"
    found = await search_availability(app, ref, house.day(), party_size=2, offering_id=None)
    assert found.zone.key == "America/New_York"


async def test_a_zone_and_a_booking_at_the_same_time_do_not_cross(house: House) -> None:
    for days in range(7, 11):
        booked, changed = await asyncio.gather(
            house.book(start=house.start(20, days=days)),
            venues.update_venue(house.app, house.organization, house.ref, time_zone="Europe/Berlin"),
            return_exceptions=True,
        )
        if isinstance(booked, BaseException) or isinstance(changed, BaseException):
            refused = changed if isinstance(changed, BaseException) else booked
            assert isinstance(refused, VenueHasBookings)
        else:  # the zone first, and the booking planned in it
            assert booked.booking.time_zone == "Europe/Berlin"
        if not isinstance(booked, BaseException):
            await changes.cancel_booking(
                house.app, house.organization, booked.booking.id, by=CancelledBy.VENUE, actor=STAFF
            )
        await venues.update_venue(house.app, house.organization, house.ref, time_zone="Europe/Paris")


def times(**fields: Any) -> Times:
    told: dict[str, Any] = dict.fromkeys(
        (
            "slot_minutes",
            "min_notice_minutes",
            "max_advance_days",
            "buffer_before_minutes",
            "buffer_after_minutes",
        ),
        0,
    )
    return Times(**{**told, "notice_until": None, "release": None, **fields})


@pytest.mark.parametrize(
    ("kept", "refusal"),
    [
        (times(release=Lead(1, 600)), SlotNotReleased),
        (times(notice_until=Lead(30, 600)), SlotTooSoon),
        (times(min_notice_minutes=60 * 24 * 30), SlotTooSoon),
        (times(release=Lead(60, 0), notice_until=Lead(0, 0), max_advance_days=1), None),
        (times(buffer_before_minutes=10, buffer_after_minutes=15, slot_minutes=30), None),
    ],
)
async def test_the_times_of_an_offering_are_kept_and_obeyed(
    house: House, kept: Times, refusal: type[AppError] | None
) -> None:
    app, organization, ref = house.app, house.organization, house.ref
    offering = await hours.update_times(app, organization, ref, house.offering.id, kept)
    assert (await venues.list_public_offerings(app, ref, WHOLE))[0] == [offering]
    assert (offering.notice_until, offering.release) == (kept.notice_until, kept.release)
    assert offering.buffer_before_minutes == kept.buffer_before_minutes
    if refusal:
        with pytest.raises(refusal):
            await house.book()
    else:
        await house.book()
    with pytest.raises(OfferingNotFound):
        await hours.update_times(app, organization, ref, ids.new(), kept)


async def test_who_must_finish_cannot_start_late(house: House) -> None:
    await update_shift(house, must_finish=True, closes="23:15")
    await house.book(start=house.start(21, 45))
    with pytest.raises(SlotEndsTooLate):
        await house.book(start=house.start(22))
    (shift,) = (await venues.list_shifts(house.app, house.organization, house.ref, WHOLE))[0]
    assert (shift.must_finish, shift.closes) == (True, 23 * 60 + 15)


async def test_an_exception_of_another_venue_is_not_found(house: House, payments: Payments) -> None:
    other = await open_house(house.app, payments)
    made = (await except_(house)).made
    with pytest.raises(DateExceptionNotFound):
        await hours.delete_exception(house.app, other.organization, VenueRef(other.venue_id), made.id)
    closure = (await close(house, house.day() + timedelta(days=1))).made
    with pytest.raises(ClosureNotFound):
        await closures.delete_closure(house.app, other.organization, VenueRef(other.venue_id), closure.id)
