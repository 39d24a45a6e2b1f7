"""Calendars, batches and alternatives against searches that see everything, where the clocks change."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booking.domain import alternatives, availability, lookups
from booking.domain.availability import Found, Plan, Slot
from booking.domain.closures import Closure
from booking.domain.exceptions import bookable_stay
from booking.domain.floor import Party
from booking.domain.hours import Hours
from booking.domain.lookups import Wanted
from booking.domain.occupancy import Allocation
from booking.domain.offerings import Offering
from booking.domain.overviews import Overview
from booking.domain.pacing import PacingRule
from booking.domain.placements import Placement, PlacementsUnread, Taken
from booking.domain.refusals import REFUSED_AS, Refusal
from booking.domain.shifts import Shift
from booking.domain.snapshots import Inquiry, Snapshot
from booking.domain.turns import TurnTime
from booking.domain.venues import Combination, Resource, ResourceKind
from booking.domain.windows import DateException, Window
from servicekit.errors import AppError

DAYS = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Africa/Cairo", date(2027, 4, 30)),
    ("Asia/Kathmandu", date(2027, 7, 1)),
]
SHOWN = 3
"""Days before and after the one whose clocks change."""
HOUR = 3600
DAY = 24 * HOUR
# The order in which the contract tells what a day without bookable starts lacks.
NEARER_TO_A_YES = [
    Refusal.CLOSED,
    Refusal.MUST_FINISH,
    Refusal.NOTICE,
    Refusal.NOT_RELEASED,
    Refusal.TOO_FAR_AHEAD,
    Refusal.NO_TABLE_FOR_PARTY,
    Refusal.NO_TABLE_AS_ASKED,
    Refusal.PARTY_BEYOND_PACE,
    Refusal.PACING,
    Refusal.FULLY_BOOKED,
]


@dataclass(frozen=True)
class Scene:
    """A venue, a week of it, and somebody who asks."""

    plan: Plan
    middle: date
    allocations: list[Allocation]
    placements: list[Placement]
    party: Party
    now: int

    @property
    def days(self) -> list[date]:
        return [self.middle + timedelta(days=each) for each in range(-SHOWN, SHOWN + 1)]

    @property
    def offerings(self) -> list[Offering]:
        return list(self.plan.offerings.values())

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self.plan, self.now, self.allocations, self.placements)

    def search(self, day: date, offering: Offering | None = None) -> list[Slot]:
        """The day search, given everything there is."""
        return availability.search(
            self.plan,
            [offering] if offering else self.offerings,
            day,
            party=self.party,
            taken=Taken(self.allocations, self.placements),
            now=self.now,
        )

    def find(self, day: date, offering: Offering | None = None) -> Found:
        return self.snapshot.find(Inquiry(day, self.party, offering.id if offering else None))


def epoch(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, datetime.min.time(), zone).timestamp())


def some_hours(random: Random, zone: ZoneInfo, day: date, offerings: list[Offering]) -> Hours:
    """An evening that may go on after midnight, a lunch on some days, a date of its own, a closure."""
    shifts = []
    for number, each in enumerate(offerings):
        opens = random.choice([1080, 1200, 1320, 60])
        last = opens + random.choice([60, 180, 300])
        shifts.append(
            Shift(
                UUID(int=10 + number),
                each.id,
                tuple(range(1, 8)),
                opens,
                last,
                last + random.choice([30, 90]),
            )
        )
        shifts.append(Shift(UUID(int=20 + number), each.id, (2, 6, 7), 720, 780, 840, must_finish=True))
    away = timedelta(days=random.randint(-2, 2))
    windows = (Window(random.choice([600, 840]), 900, 960),)
    own = DateException(
        UUID(int=30), offerings[0].id, day + away, random.choice([(), windows]), note="Our summer fair"
    )
    closed = day + timedelta(days=random.randint(-3, 3))
    closures = [Closure(UUID(int=31), (), closed, closed, note="Painting", cuts_tail=random.random() < 0.5)]
    return Hours.of(
        zone,
        shifts=shifts,
        exceptions=[own] if random.random() < 0.5 else [],
        closures=closures if random.random() < 0.5 else [],
    )


def some_plan(random: Random) -> tuple[Plan, date]:
    name, day = random.choice(DAYS)
    tables = [
        Resource(UUID(int=100 + number), f"T{number}", ResourceKind.TABLE, 1, random.choice([2, 2, 4]))
        for number in range(random.randint(1, 3))
    ]
    joined = (
        [Combination(UUID(int=200), "C", tuple(each.id for each in tables), 3, 6)] if len(tables) > 1 else []
    )
    offerings = [
        Offering(
            UUID(int=number),
            f"Offering {number}",
            (TurnTime(2, random.choice([30, 90, 1200])), TurnTime(6, 120)),
            None,
            random.choice([15, 30, 60]),
            random.choice([0, 60, 2880]),
            random.choice([2, 90]),
            buffer_before_minutes=random.choice([0, 0, 15]),
            buffer_after_minutes=random.choice([0, 0, 30]),
        )
        for number in range(1, random.choice([2, 3]))
    ]
    rules = [PacingRule(UUID(int=300), None, 60, max_parties=2)] if random.random() < 0.3 else []
    plan = Plan.of(
        1,
        hours=some_hours(random, ZoneInfo(name), day, offerings),
        resources=tables,
        combinations=joined,
        offerings=offerings,
        pacing=rules,
        reseating=random.random() < 0.5,
    )
    return plan, day


def some_scene(seed: int) -> Scene:
    random = Random(seed)  # noqa: S311  # hypothesis chooses the seed
    plan, day = some_plan(random)
    midnight = epoch(day, plan.zone)
    resources = sorted({each for seating in plan.seatings for each in seating.resource_ids})
    allocations, placements = [], []
    for number in range(random.randint(0, 25)):
        offering = random.choice(list(plan.offerings.values()))
        date_of = day + timedelta(days=random.randint(-SHOWN - 1, SHOWN + 1))
        starts, party = plan.starts(offering, date_of), Party(random.choice([1, 2, 2, 4]))
        if not starts:
            continue
        start, booking = random.choice(starts), UUID(int=500 + number)
        end = start + (offering.stay_minutes(party.size, date_of) or 60) * 60
        allocations.append(
            Allocation(random.choice(resources), start, end, booking, live=random.random() < 0.9)
        )
        placements.append(
            Placement(booking, offering.id, date_of, start, end, party, movable=random.random() < 0.5)
        )
    for number in range(random.choice([0, 0, 1, 2])):  # blocks, which may last for days
        start = midnight + random.randint(-5 * DAY, 4 * DAY) // 300 * 300
        end = start + random.choice([HOUR, DAY, 3 * DAY])
        allocations.append(
            Allocation(random.choice(resources), start, end, UUID(int=900 + number), live=True)
        )
    now = midnight + random.choice([-30 * DAY, -2 * DAY, 0, 19 * HOUR, 2 * DAY])
    return Scene(plan, day, allocations, placements, Party(random.choice([1, 2, 3, 4, 7])), now)


scenes = st.integers(0, 2**48).map(some_scene)


@settings(max_examples=200, deadline=None)
@given(scenes)
def test_a_day_of_a_snapshot_is_what_a_search_that_sees_everything_finds(scene: Scene) -> None:
    snapshot = scene.snapshot
    for day in scene.days:
        for offering in (None, *scene.offerings):
            inquiry = Inquiry(day, scene.party, offering.id if offering else None)
            assert snapshot.find(inquiry).slots == scene.search(day, offering)


@settings(max_examples=200, deadline=None)
@given(scenes)
def test_a_day_without_its_bookings_shows_the_same_or_tells_that_it_takes_them(scene: Scene) -> None:
    slight = replace(scene.snapshot, placements=None)
    for day in scene.days:
        inquiry, shown = Inquiry(day, scene.party, None), scene.search(day)
        try:
            assert slight.find(inquiry).slots == shown
        except PlacementsUnread:
            expired = not all(each.live for each in slight.taken(day).allocations)
            full = Refusal.FULLY_BOOKED in {each.refusal for each in without_moving(scene, day)}
            assert scene.plan.pacing or expired or full


def test_a_day_where_there_is_room_for_all_is_searched_without_its_bookings() -> None:
    """So it is with most days of a calendar."""
    told = 0
    for seed in range(40):
        scene = some_scene(seed)
        for day in scene.days:
            with suppress(PlacementsUnread):
                replace(scene.snapshot, placements=None).find(Inquiry(day, scene.party, None))
                told += 1
    assert told > 40  # of 200


def without_moving(scene: Scene, day: date) -> list[Slot]:
    return replace(scene, plan=replace(scene.plan, reseating=False)).search(day)


@settings(max_examples=200, deadline=None)
@given(scenes)
def test_a_calendar_counts_what_the_search_of_each_day_shows_and_tells_a_true_reason(scene: Scene) -> None:
    for day in scene.days:
        told, slots = Overview.of(day, scene.find(day)), scene.search(day)
        bookable = [slot.start for slot in slots if slot.refusal is None]
        assert (told.bookable, told.first_start) == (len(bookable), min(bookable, default=None))
        assert told.open == any(slot.refusal is not Refusal.CLOSED for slot in slots)
        refusals = {slot.refusal for slot in slots}
        if bookable:
            assert told.refusal is None
        elif not slots:
            assert told.refusal is Refusal.CLOSED
        else:
            assert told.refusal is not None
            assert told.refusal in refusals
            later = NEARER_TO_A_YES[NEARER_TO_A_YES.index(told.refusal) + 1 :]
            assert refusals.isdisjoint(later)


def test_a_day_that_is_over_for_some_and_sold_out_for_others_is_fully_booked() -> None:
    offering = Offering(UUID(int=1), "Dinner", (TurnTime(2, 60),), None, 60, 0, 90)
    zone = ZoneInfo("Europe/Berlin")
    refused = [Refusal.NOTICE, Refusal.FULLY_BOOKED, Refusal.PACING]
    slots = [Slot(number, number + 1, offering, each, None) for number, each in enumerate(refused)]
    assert Overview.of(date(2027, 5, 1), Found(zone, slots, [])).refusal is Refusal.FULLY_BOOKED


@settings(max_examples=200, deadline=None)
@given(scenes, st.lists(st.tuples(st.integers(-4 * DAY, 4 * DAY), st.booleans()), min_size=1, max_size=20))
def test_a_looked_up_start_is_what_the_search_of_its_day_shows(
    scene: Scene, wishes: list[tuple[int, bool]]
) -> None:
    plan, snapshot = scene.plan, scene.snapshot
    for number, (seconds, on_grid) in enumerate(wishes):
        offering = scene.offerings[number % len(scene.offerings)]
        start = epoch(scene.middle, plan.zone) + seconds // 60 * 60
        near = [each for day in scene.days for each in plan.starts(offering, day)]
        if on_grid and near:
            start = min(near, key=lambda each: abs(each - start))
        wanted = Wanted(offering.id, start, scene.party)
        inquiry = lookups.inquiry_of(plan, wanted)
        found = snapshot.find(inquiry) if inquiry else None
        told = lookups.verdict(plan.zone, wanted, found, now=scene.now)
        local = datetime.fromtimestamp(start, plan.zone).date()
        shown = {
            slot.refusal
            for day in (
                local - timedelta(days=2),
                local - timedelta(days=1),
                local,
                local + timedelta(days=1),
            )
            for slot in scene.search(day, offering)
            if slot.start == start
        }
        if not shown:
            assert told.refusal is (Refusal.NOTICE if start < scene.now else Refusal.CLOSED)
            assert told.slot is None
        elif len(shown) == 1:
            assert {told.refusal} == shown
        else:  # of two service days, one is closed or does not take it
            assert told.refusal in shown
        assert told.refusal not in _rules_of(scene, offering, start)


def _rules_of(scene: Scene, offering: Offering, start: int) -> set[Refusal | None]:
    """What the verdict on a start cannot be, by what a booking would be refused with."""
    everything: set[Refusal | None] = {None, *Refusal}
    try:
        bookable_stay(scene.plan, offering, start=start, party=scene.party, now=scene.now, waived=frozenset())
    except AppError as refused:
        return everything - {each for each, kind in REFUSED_AS.items() if isinstance(refused, kind)}
    return everything - {None, Refusal.PACING, Refusal.FULLY_BOOKED}


@settings(max_examples=200, deadline=None)
@given(scenes, st.integers(-2 * DAY, 2 * DAY), st.sampled_from([0, 15, 60, 720]))
def test_alternatives_can_be_booked_and_nothing_nearer_can(
    scene: Scene, seconds: int, tolerance: int
) -> None:
    plan, offering = scene.plan, scene.offerings[0]
    start = epoch(scene.middle, plan.zone) + seconds // 900 * 900
    day = lookups.service_date_near(plan, Wanted(offering.id, start, scene.party))
    free = {each.start for each in scene.search(day, offering) if each.refusal is None} - {start}
    told = [each.start for each in alternatives.nearest_times(scene.find(day, offering).slots, start)]
    assert told == sorted(free, key=lambda each: (abs(each - start), each))[: alternatives.MOST_TIMES]

    wished = datetime.fromtimestamp(start, plan.zone).replace(tzinfo=None)
    for other in scene.days:
        shifted = wished + (other - day)
        away = {
            each.start: abs(datetime.fromtimestamp(each.start, plan.zone).replace(tzinfo=None) - shifted)
            for each in scene.search(other, offering)
            if each.refusal is None
        }
        slot = alternatives.at_wall_clock(
            plan.zone,
            scene.find(other, offering).slots,
            other,
            minute=(wished - datetime.combine(day, datetime.min.time())) // timedelta(minutes=1),
            tolerance_minutes=tolerance,
        )
        within = [each for each in away if away[each] <= timedelta(minutes=tolerance)]
        nearest = min(within, key=lambda each: (away[each], each), default=None)
        assert (slot.start if slot else None) == nearest

    days = alternatives.service_dates_about(plan.zone, start, tolerance_minutes=tolerance)
    seen = [slot for each in days for slot in scene.find(each).slots]
    everywhere = [
        slot for each in (*scene.days, *days) for slot in scene.search(each) if slot.refusal is None
    ]
    near = {abs(slot.start - start) for slot in everywhere if abs(slot.start - start) <= tolerance * 60}
    best = alternatives.at_instant(seen, start, tolerance_minutes=tolerance)
    assert (abs(best.start - start) if best else None) == min(near, default=None)


@settings(max_examples=100, deadline=None)
@given(scenes, st.integers(-2 * DAY, 2 * DAY))
def test_the_day_of_a_wish_is_that_of_the_start_or_of_the_nearest_one(scene: Scene, seconds: int) -> None:
    plan, offering = scene.plan, scene.offerings[0]
    start = epoch(scene.middle, plan.zone) + seconds // 60 * 60
    day = lookups.service_date_near(plan, Wanted(offering.id, start, scene.party))
    local = datetime.fromtimestamp(start, plan.zone).date()
    away = {
        each: min((abs(one - start) for one in plan.starts(offering, each)), default=10**9)
        for each in (local, local - timedelta(days=1))
    }
    assert away[day] == min(away.values())


def test_one_in_the_night_after_a_service_day_is_not_one_in_the_night_before() -> None:
    zone, day = ZoneInfo("Europe/Berlin"), date(2027, 5, 10)
    offering = Offering(UUID(int=1), "Bar", (TurnTime(2, 60),), None, 60, 0, 90)
    after = Slot(start := epoch(day, zone) + 25 * HOUR, start + HOUR, offering, None, None)
    for minute, found in ((60, None), (1500, after)):
        told = alternatives.at_wall_clock(zone, [after], day, minute=minute, tolerance_minutes=720)
        assert told is found


def test_days_around_one_come_nearest_first_and_the_earlier_of_two() -> None:
    day = date(2027, 5, 10)
    shown = [each.day for each in alternatives.dates_around(day, earliest=date(2027, 5, 8))]
    assert shown == [9, 11, 8, *range(12, 25)]


@pytest.mark.parametrize("moment", [datetime(1970, 12, 31, 23, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)])
def test_what_no_calendar_holds_is_refused_by_name(moment: datetime) -> None:
    with pytest.raises(AppError) as caught:
        lookups.refuse_beyond_calendar("/start", int(moment.timestamp()))
    assert caught.value.reason == "INCONSISTENT_REQUEST"
