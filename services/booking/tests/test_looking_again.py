"""An answer that grew old is used on while nothing changed, not even what time alone changes."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from booking.domain.availability import Found, Plan
from booking.domain.bookings import Status
from booking.domain.clock import Lead
from booking.domain.offerings import DepositRule, Filling, Offering
from booking.domain.overrides import Override, Rule
from booking.domain.placements import Taken
from booking.domain.refusals import Refusal
from booking.domain.snapshots import Inquiry, find, time_matters
from booking.domain.terms import Terms
from booking.store.searches import Searches
from booking.tables import ALLOCATIONS, BOOKINGS
from booking.usecases import availability, pacing
from booking.usecases.pacing import Limits
from servicekit.money import Money
from testkit.callers import member

from .conftest import House
from .rooms import book
from .test_snapshots import DAY, HOUR, Scene, some_scene


def rules_of_time(random: Random, offering: Offering) -> Offering:
    """The same with rules that forbid by the clock, or by how late it is."""
    lead = [None, Lead.of(1, "18:00"), Lead.of(3, "09:30")]
    return replace(
        offering,
        notice_until=random.choice(lead),
        release=random.choice(lead),
        filling=Filling(random.choice([None, 0, 1]), random.choice([0, 120, 3 * 1440])),
    )


def timed_scene(seed: int) -> Scene:
    scene, random = some_scene(seed), Random(seed)  # noqa: S311  # hypothesis chooses the seed
    plan = scene.plan
    offerings = [rules_of_time(random, each) for each in plan.offerings.values()]
    hours = replace(plan.hours)  # without the days that it has computed for the offerings of before
    changed: Plan = replace(plan, hours=hours, offerings={each.id: each for each in offerings})
    return replace(scene, plan=changed)


scenes = st.integers(0, 2**32).map(timed_scene)
seconds = st.one_of(st.integers(1, HOUR), st.integers(1, 3 * DAY))


def as_read(taken: Taken, now: int) -> Taken:
    """As the database tells it: only who is to come may be moved."""
    told = [each._replace(movable=each.movable and each.start > now) for each in taken.known_placements]
    return replace(taken, placements=told)


@settings(max_examples=600, deadline=None)
@given(scenes, seconds)
def test_time_that_does_not_matter_changes_no_answer(scene: Scene, passed: int) -> None:
    for day in scene.days:
        inquiry = Inquiry(day, scene.party, None)
        taken = scene.snapshot.taken(day)
        if not time_matters(scene.plan, inquiry, since=scene.now, now=scene.now + passed):
            before, after = (
                find(scene.plan, inquiry, taken=as_read(taken, at), now=at)
                for at in (scene.now, scene.now + passed)
            )
            assert before.slots == after.slots


def test_it_matters_seldom() -> None:
    """A rule that always said yes would be true, and of no use."""
    days = [(scene, day) for seed in range(200) for scene in [timed_scene(seed)] for day in scene.days]
    matters = [
        time_matters(scene.plan, Inquiry(day, scene.party, None), since=scene.now, now=scene.now + 60)
        for scene, day in days
    ]
    begun = [
        any(
            scene.now + 60 >= starts[0]
            for each in scene.offerings
            if (starts := scene.plan.starts(each, day))
        )
        for scene, day in days
    ]
    assert sum(matters) - sum(begun) < len(days) // 20


def test_a_day_that_has_begun_is_searched_again() -> None:
    """Who was to come sits by now, and makes room for nobody."""
    scene = next(
        scene
        for seed in range(100)
        for scene in [some_scene(seed)]
        if scene.plan.starts(scene.offerings[0], scene.middle)
    )
    offering = replace(scene.offerings[0], min_notice_minutes=7, max_advance_days=90)
    plan = replace(scene.plan, hours=replace(scene.plan.hours), offerings={offering.id: offering})
    inquiry, first = Inquiry(scene.middle, scene.party, None), plan.starts(offering, scene.middle)[0]
    assert time_matters(plan, inquiry, since=first - 1, now=first)
    assert not time_matters(plan, inquiry, since=first - 2, now=first - 1)


def test_a_day_has_begun_with_the_first_offering_whichever_is_asked_for() -> None:
    """Who came for the early one is not moved any more for the late one."""
    scene = next(scene for seed in range(500) for scene in [some_scene(seed)] if _firsts(scene))
    (early, _), (_, offering) = _firsts(scene)[0], _firsts(scene)[-1]
    quiet = replace(offering, min_notice_minutes=7, max_advance_days=90)
    plan = replace(
        scene.plan, hours=replace(scene.plan.hours), offerings={**scene.plan.offerings, quiet.id: quiet}
    )
    inquiry = Inquiry(scene.middle, scene.party, quiet.id)
    assert time_matters(plan, inquiry, since=early - 1, now=early)
    assert not time_matters(plan, inquiry, since=early - 2, now=early - 1)


def _firsts(scene: Scene) -> list[tuple[int, Offering]]:
    """The first start of each offering, where they are hours apart."""
    plan, middle = scene.plan, scene.middle
    firsts = sorted(
        ((plan.starts(each, middle)[0], each) for each in scene.offerings if plan.starts(each, middle)),
        key=lambda each: each[0],
    )
    return firsts if firsts and firsts[0][0] + HOUR < firsts[-1][0] else []


def test_how_late_it_is_matters_to_who_leaves_seats_empty() -> None:
    scene = next(scene for seed in range(100) for scene in [some_scene(seed)] if _starts(scene))
    filling = replace(scene.offerings[0], filling=Filling(0, 120), min_notice_minutes=7, max_advance_days=90)
    plan = replace(scene.plan, hours=replace(scene.plan.hours), offerings={filling.id: filling})
    inquiry, late = Inquiry(scene.middle, scene.party, None), _starts(scene)[0] - 120 * 60
    assert time_matters(plan, inquiry, since=late - 1, now=late)
    assert not time_matters(plan, inquiry, since=late - 2, now=late - 1)


def _starts(scene: Scene) -> Sequence[int]:
    return scene.plan.starts(scene.offerings[0], scene.middle)


@pytest.fixture
def ageing(house: House) -> House:
    """A house whose process looks again at whatever it answered before."""
    return replace(house, app=replace(house.app, searches=Searches(seconds=-1)))


async def search(house: House, party_size: int = 2, day: date | None = None) -> Found:
    return await availability.search_availability(
        house.app, house.ref, day or house.day(), party_size=party_size, offering_id=None
    )


async def run_out_now(house: House) -> None:
    """Every hold, this moment, as far as the database knows; no version says so."""
    over = datetime.now(UTC) - timedelta(milliseconds=1)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).values(hold_expires_at=over))
        await tx.execute(sa.update(ALLOCATIONS).values(expires_at=over))


async def test_an_old_answer_is_used_while_nothing_changed(ageing: House) -> None:
    found = await search(ageing)
    assert await search(ageing) is found
    await ageing.book(2, app=replace(ageing.app, searches=Searches()))
    changed = await search(ageing)
    assert changed is not found
    assert await search(ageing) is changed


async def test_looking_again_moves_the_moment_to_now_and_no_further(ageing: House) -> None:
    await search(ageing)
    (_, first), *_ = ageing.app.searches._kept.items()
    await search(ageing)
    (_, again), *_ = ageing.app.searches._kept.items()
    assert again.answer is first.answer
    assert first.made <= again.made <= datetime.now(UTC).timestamp() + 1


async def test_an_answer_is_not_judged_by_another_plan(ageing: House) -> None:
    found = await search(ageing)
    plan = ageing.app.plans.get(ageing.venue_id)
    assert plan is not None
    ageing.app.plans.put(ageing.venue_id, replace(plan, version=plan.version - 1))
    assert await search(ageing) is not found


async def test_pacing_counts_holds_outside_of_the_hours(ageing: House) -> None:
    """Staff hold room for six in the afternoon, of seven who may come that day; it opens in the evening."""
    house = await ageing.offer(Terms(), deposit=DepositRule(6, Money(1000, "EUR"), 24))
    limit = Limits(None, 1440, max_covers=7, max_parties=None, online_covers=None, online_parties=None)
    await pacing.create_rule(house.app, house.organization, house.ref, limit)
    wish = replace(house.wish(6, house.start(hour=14)), override=Override.of([Rule.CLOSED], "A regular"))
    held = await book(house, wish, member(house.organization))
    assert held.booking.status is Status.HELD
    assert {slot.refusal for slot in (await search(house)).slots} == {Refusal.PACING}
    await run_out_now(house)
    assert None in {slot.refusal for slot in (await search(house)).slots}


async def test_a_hold_that_ran_out_is_seen_though_no_version_tells(ageing: House) -> None:
    held = (await ageing.book(7)).booking
    refusals = {slot.start: slot.refusal for slot in (await search(ageing, 7)).slots}
    assert refusals[int(held.start.timestamp())] is Refusal.FULLY_BOOKED
    await run_out_now(ageing)
    refusals = {slot.start: slot.refusal for slot in (await search(ageing, 7)).slots}
    assert refusals[int(held.start.timestamp())] is None


async def test_what_only_time_changed_is_searched_again(ageing: House) -> None:
    """Yesterday the day was too far ahead."""
    day = ageing.day(days=90)
    found = await search(ageing, day=day)
    assert {slot.refusal for slot in found.slots} == {None}
    (asked, entry), *_ = ageing.app.searches._kept.items()
    ageing.app.searches.put(
        asked, entry.versions, replace(found, slots=[]), made=entry.made - DAY, read=time.monotonic()
    )
    assert (await search(ageing, day=day)).slots == found.slots
