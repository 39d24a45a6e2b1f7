"""Blocks: what is out of sale, around whom, and what happens when a booking in the way goes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from booking.app import App
from booking.domain.blocks import Block, BlockNotFound, BookingsInTheWay, Span, fillings, free_of
from booking.domain.bookings import Actor, ActorKind, CancelledBy, Status
from booking.domain.refusals import SlotTaken
from booking.domain.texts import Inconsistent
from booking.domain.venues import AreaNotFound, ResourceNotFound, VenueNotFound, VenueRef
from booking.tables import ALLOCATIONS, RESOURCES
from booking.usecases import assignments, blocks, changes, venues
from booking.usecases.assignments import Assignment
from booking.usecases.availability import search_availability
from booking.usecases.blocks import Blocked, Blocking
from booking.usecases.changes import Move
from comptoir.booking.v1 import events_pb2
from servicekit import idempotency, ids
from testkit import outbox
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())
NOON = datetime(2027, 3, 8, 12, tzinfo=UTC)
TABLES = [UUID(int=each) for each in range(3)]
HOURS = st.integers(0, 80)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


@st.composite
def spans(draw: st.DrawFn, table: UUID | None = None) -> Span:
    start, end = sorted(draw(st.tuples(HOURS, HOURS).filter(lambda pair: pair[0] != pair[1])))
    return Span(table or draw(st.sampled_from(TABLES)), at(start), at(end))


def hours_of(some: Sequence[Span]) -> set[tuple[UUID, int]]:
    """Every table and hour, one by one."""
    return {
        (span.resource_id, hour)
        for span in some
        for hour in range(80)
        if span.start <= at(hour) and at(hour + 1) <= span.end
    }


@given(spans(), st.lists(spans(), max_size=6))
def test_a_block_has_exactly_what_nobody_else_has_in_pieces_of_a_day(wanted: Span, taken: list[Span]) -> None:
    free = free_of(wanted, taken)
    assert hours_of(free) == hours_of([wanted]) - hours_of(taken)
    assert all(timedelta() < each.end - each.start <= timedelta(hours=24) for each in free)
    assert sum(len(hours_of([each])) for each in free) == len(hours_of(free))


@given(
    st.lists(spans(), max_size=3), st.lists(st.tuples(spans(), st.sets(st.sampled_from(TABLES))), max_size=4)
)
def test_a_gap_goes_to_the_blocks_that_lie_over_it_once(
    gaps: list[Span], laid: list[tuple[Span, set[UUID]]]
) -> None:
    freed = [piece for number, gap in enumerate(gaps) for piece in free_of(gap, gaps[:number])]
    some = [
        Block(UUID(int=number), UUID(int=9), tuple(tables), span.start, span.end, "", None, NOON)
        for number, (span, tables) in enumerate(laid)
    ]
    filled = [piece for _, piece in fillings(freed, some)]
    wanted = hours_of([span for block in some for span in block.spans])
    assert hours_of(filled) == hours_of(freed) & wanted
    assert sum(len(hours_of([each])) for each in filled) == len(hours_of(filled))


async def block(
    house: House,
    *names: str,
    hours: tuple[int, int] = (18, 23),
    days: int = 7,
    strand: bool = False,
    area: UUID | None = None,
) -> Blocked:
    blocking = Blocking(
        tuple(house.tables[name].id for name in names),
        area,
        start=house.start(hours[0], days=days),
        end=house.start(hours[1], days=days),
        reason="Broken chair",
        strand=strand,
    )
    return await blocks.create_block(house.app, house.organization, house.ref, blocking, actor=STAFF)


async def rows(house: House) -> list[tuple[str, bool]]:
    """Who has which table: the name, and whether it is a block."""
    names = {table.id: name for name, table in house.tables.items()}
    query = sa.select(ALLOCATIONS.c.resource_id, ALLOCATIONS.c.block_id)
    async with house.app.db.begin(house.organization) as tx:
        return sorted((names[row.resource_id], row.block_id is not None) for row in await tx.execute(query))


async def test_a_blocked_table_is_not_on_sale(house: House) -> None:
    made = await block(house, "T1", "T2")
    assert made.stranded == []
    assert (await house.book(2)).booking.resource_ids == (house.tables["T3"].id,)
    assert await rows(house) == [("T1", True), ("T2", True), ("T3", False)]
    event = (await outbox.published(house.app.db))[-2]
    assert isinstance(event, events_pb2.ResourcesBlocked)
    assert event.block_id == ids.show("blk", made.block.id)
    assert b"chair" not in event.SerializeToString()
    await blocks.delete_block(house.app, house.organization, house.ref, made.block.id)
    assert (await house.book(2)).booking.resource_ids == (house.tables["T1"].id,)
    assert isinstance((await outbox.published(house.app.db))[-2], events_pb2.ResourcesUnblocked)


async def test_the_whole_venue_is_blocked_and_the_search_says_so(house: House) -> None:
    await block(house)
    found = await search_availability(house.app, house.ref, house.day(), party_size=2, offering_id=None)
    assert {slot.refusal for slot in found.slots} == {"fully_booked"}
    with pytest.raises(SlotTaken):
        await house.book(2)


async def test_an_area_is_blocked_with_what_stands_there(house: House) -> None:
    area = await venues.add_area(house.app, house.organization, house.ref, name="Terrace")
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(
            sa.update(RESOURCES).where(RESOURCES.c.id == house.tables["T3"].id).values(area_id=area.id)
        )
    made = await block(house, area=area.id)
    assert made.block.resource_ids == (house.tables["T3"].id,)


async def test_a_week_is_blocked_day_by_day(house: House) -> None:
    blocking = Blocking(
        (house.tables["T4"].id,), None, house.start(12), house.start(12, days=14), "Paint", strand=False
    )
    await blocks.create_block(house.app, house.organization, house.ref, blocking, actor=STAFF)
    assert await rows(house) == [("T4", True)] * 7
    for days in (7, 10, 13):
        with pytest.raises(SlotTaken):
            await house.book(5, house.start(days=days))
    await house.book(5, house.start(days=14))


async def test_live_bookings_in_the_way_are_named_and_nothing_is_blocked(house: House) -> None:
    one, other = (await house.book(2)).booking, (await house.book(2, house.start(21))).booking
    with pytest.raises(BookingsInTheWay) as refused:
        await block(house, "T1", "T4")
    named = refused.value.metadata["booking_ids"].split(",")
    assert named == [ids.show("bkg", each.id) for each in (one, other)]
    assert await rows(house) == [("T1", False), ("T1", False)]


async def test_stranded_bookings_stay_and_only_what_is_free_around_them_is_blocked(house: House) -> None:
    made = (await house.book(2)).booking
    blocked = await block(house, "T1", strand=True)
    assert list(blocked.stranded) == [made.id]
    assert await rows(house) == [("T1", False), ("T1", True), ("T1", True)]
    assert (await house.read(made.id)).status is Status.CONFIRMED
    assert await house.double_bookings() == 0


@pytest.mark.parametrize("way", ["cancel", "move", "assign"])
async def test_when_a_stranded_booking_goes_the_block_takes_its_time(house: House, way: str) -> None:
    made = (await house.book(2)).booking
    await block(house, "T1", strand=True)
    where = house.app, house.organization, made.id
    if way == "cancel":
        await changes.cancel_booking(*where, by=CancelledBy.VENUE, actor=STAFF)
    elif way == "move":
        moved = await changes.move_booking(*where, Move(house.start(20)), actor=STAFF)
        assert moved.resource_ids == (house.tables["T2"].id,)
    else:
        await assignments.assign(*where, Assignment((house.tables["T3"].id,)), actor=STAFF)
    taken = await rows(house)
    assert taken.count(("T1", True)) == 3
    assert ("T1", False) not in taken


async def test_a_stranded_booking_that_changes_at_its_own_time_leaves_the_block(house: House) -> None:
    made = (await house.book(2)).booking
    await block(house, "T1", strand=True)
    smaller = await changes.move_booking(
        house.app, house.organization, made.id, Move(party_size=1), actor=STAFF
    )
    assert smaller.resource_ids == (house.tables["T2"].id,)
    assert ("T1", False) not in await rows(house)


async def test_two_blocks_over_one_table_share_it_and_the_one_that_stays_takes_all(house: House) -> None:
    first = await block(house, "T1", hours=(18, 21))
    await block(house, "T1", hours=(20, 23))
    assert await rows(house) == [("T1", True), ("T1", True)]
    await blocks.delete_block(house.app, house.organization, house.ref, first.block.id)
    times = sorted((start, end) for _, start, end in await house.occupied())
    assert times[0][0].timestamp() == house.start(20)
    assert times[-1][1].timestamp() == house.start(23)
    assert (await house.book(1, house.start(19))).booking.resource_ids == (house.tables["T2"].id,)


async def test_holds_that_ran_out_are_in_no_blocks_way(house: House) -> None:
    made = await house.book(6)
    await house.run_out(made)
    assert (await block(house, "T4")).stranded == []
    assert (await house.read(made.booking.id)).version == 2
    assert await rows(house) == [("T4", True)]


async def test_blocks_are_listed_by_local_days(house: House) -> None:
    early, late = await block(house, "T1"), await block(house, "T1", days=9)
    listed = (
        await blocks.list_blocks(
            house.app, house.organization, house.ref, house.day(), house.day(9), page=WHOLE
        )
    )[0]
    assert [each.block for each in listed] == [early.block, late.block]
    assert (
        await blocks.list_blocks(
            house.app, house.organization, house.ref, house.day(8), house.day(8), page=WHOLE
        )
    )[0] == []
    for first, last in ((house.day(8), house.day(7)), (house.day(7), house.day(100))):
        with pytest.raises(Inconsistent):
            await blocks.list_blocks(house.app, house.organization, house.ref, first, last, page=WHOLE)


async def test_a_repeated_key_blocks_once(house: House) -> None:
    idempotency.bind(idempotency.Key("one", b"same"))
    first, again = await block(house, "T1"), await block(house, "T1")
    idempotency.bind(None)
    assert again.block.id == first.block.id
    assert await rows(house) == [("T1", True)]


async def test_what_cannot_be_blocked_is_refused(app: App, payments: Payments, house: House) -> None:
    foreign = await open_house(app, payments)
    with pytest.raises(Inconsistent):
        await block(house, "T1", hours=(20, 20))
    with pytest.raises(Inconsistent):
        await block(house, "T1", days=-3)
    with pytest.raises(Inconsistent):
        await block(house, "T1", area=ids.new())
    with pytest.raises(AreaNotFound):
        await block(house, area=ids.new())
    long = Blocking((), None, house.start(), house.start(20, days=38), "", strand=False)
    stranger = Blocking((foreign.tables["T1"].id,), None, house.start(), house.start(20), "", strand=False)
    for blocking, refusal in ((long, Inconsistent), (stranger, ResourceNotFound)):
        with pytest.raises(refusal):
            await blocks.create_block(app, house.organization, house.ref, blocking, actor=STAFF)
    with pytest.raises(VenueNotFound):
        await blocks.create_block(app, ids.new(), house.ref, long, actor=STAFF)
    with pytest.raises(BlockNotFound):
        await blocks.delete_block(app, house.organization, house.ref, ids.new())
    made = await block(house, "T1")
    with pytest.raises(BlockNotFound):
        await blocks.delete_block(app, foreign.organization, VenueRef(foreign.venue_id), made.block.id)


async def test_a_block_and_guests_who_book_at_once_never_share_a_table(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2)), joined=())
    for days in range(2, 8):
        answers = await asyncio.gather(
            block(house, "T1", days=days, strand=True),
            *(house.book(2, house.start(days=days)) for _ in range(6)),
            return_exceptions=True,
        )
        blocked, *booked = answers
        assert isinstance(blocked, Blocked)
        made = [each for each in booked if not isinstance(each, BaseException)]
        assert len(made) == 1 + len(blocked.stranded)
        assert {type(each) for each in booked if isinstance(each, BaseException)} == {SlotTaken}
    assert await house.double_bookings() == 0
