"""Staff at the floor plan: other tables, swaps, pins, sizes, exceptions; and what guests do by their link."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, Booking, BookingStateConflict, Status
from booking.domain.overrides import Override, OverrideDenied, Rule
from booking.domain.refusals import NoTableForParty, SlotClosed, SlotTaken, SlotTooSoon
from booking.domain.terms import Terms
from booking.domain.texts import Inconsistent
from booking.domain.venues import ResourceNotFound
from booking.usecases import assignments, bookings, changes, links, offerings, visits
from booking.usecases.assignments import Assignment
from booking.usecases.changes import Move
from booking.usecases.offerings import Pricing
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import VersionMismatch
from servicekit.money import Money
from testkit import outbox
from testkit.callers import anonymous, member
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())


async def assign(house: House, booking: Booking, *names: str, pinned: bool = False) -> Booking:
    chosen = tuple(house.tables[name].id for name in names)
    return await assignments.assign(
        house.app, house.organization, booking.id, Assignment(chosen, pinned), actor=STAFF
    )


async def move(house: House, booking: Booking, to: Move) -> Booking:
    return await changes.move_booking(house.app, house.organization, booking.id, to, actor=STAFF)


async def swap(house: House, one: Booking, other: Booking) -> tuple[Booking, Booking]:
    return await assignments.swap(house.app, house.organization, (one.id, 0), (other.id, 0), actor=STAFF)


async def test_a_booking_is_dragged_to_another_table(house: House) -> None:
    made = (await house.book(2)).booking
    dragged = await assign(house, made, "T4")
    assert (dragged.version, await house.seats_of(made.id)) == (2, {"T4"})
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingReseated)
    assert event.previous_resource_ids == [ids.show("res", house.tables["T1"].id)]
    assert event.booking.resource_ids == [ids.show("res", house.tables["T4"].id)]
    assert await assign(house, dragged, "T4") == dragged
    assert len(await house.history(made.id)) == 2


async def test_tables_are_joined_and_split_for_a_booking(house: House) -> None:
    made = (await house.book(4)).booking
    joined = await assign(house, made, "T1", "T2", "T3", pinned=True)
    assert await house.seats_of(made.id) == {"T1", "T2", "T3"}
    with pytest.raises(SlotTaken):
        await house.book(1)
    await assign(house, joined, "T1", "T2")
    assert await house.seats_of(made.id) == {"T1", "T2"}
    assert (await house.book(4)).booking.resource_ids == (house.tables["T3"].id,)


async def test_what_is_taken_or_too_small_or_elsewhere_is_refused_and_nothing_moves(
    app: App, payments: Payments, house: House
) -> None:
    foreign = await open_house(app, payments)
    one, four = (await house.book(2)).booking, (await house.book(4)).booking
    with pytest.raises(SlotTaken):
        await assign(house, one, "T3")
    with pytest.raises(NoTableForParty):
        await assign(house, four, "T2")
    with pytest.raises(ResourceNotFound):
        await assignments.assign(
            app, house.organization, one.id, Assignment((foreign.tables["T1"].id,)), actor=STAFF
        )
    assert await house.seats_of(one.id) == {"T1"}
    assert await house.seats_of(four.id) == {"T3"}
    assert (await house.read(one.id)).version == 1


async def test_what_is_over_is_assigned_nothing(house: House) -> None:
    made = await house.book(2)
    await links.cancel_managed_booking(house.app, made.manage_token)
    with pytest.raises(BookingStateConflict):
        await assign(house, made.booking, "T2")
    for pinned in (True, False):
        with pytest.raises(BookingStateConflict):
            await assignments.pin(house.app, house.organization, made.booking.id, pinned=pinned, actor=STAFF)


async def test_a_party_that_sits_moves_for_the_rest_of_its_time(house: House) -> None:
    made, earlier = (await house.book(2)).booking, (await house.book(4)).booking
    await house.begin(made, minutes_ago=30)
    await house.begin(earlier, minutes_ago=60)
    await visits.seat(house.app, house.organization, made.id, actor=STAFF)
    await visits.seat(house.app, house.organization, earlier.id, actor=STAFF)
    await visits.complete(house.app, house.organization, earlier.id, actor=STAFF)
    await assign(house, made, "T3")
    ((table, since, until),) = await house.occupied()
    now = await house.read(made.id)
    assert (table, until) == (house.tables["T3"].id, now.end)
    assert since > now.start + timedelta(minutes=29)


async def test_two_bookings_swap_their_tables(house: House) -> None:
    one, other = (await house.book(2)).booking, (await house.book(2)).booking
    swapped = await swap(house, one, other)
    assert [each.id for each in swapped] == [one.id, other.id]
    assert await house.seats_of(one.id) == {"T2"}
    assert await house.seats_of(other.id) == {"T1"}
    assert (await house.history(one.id))[-1] == ("swapped", "member")
    assert (await house.history(other.id))[-1] == ("swapped", "member")
    assert await house.told() == ["Confirmed", "Confirmed", "Reseated", "Reseated"]


async def test_bookings_of_two_days_swap_too(house: House) -> None:
    one = (await house.book(2)).booking
    other = (await house.book(4, house.start(days=8))).booking
    await swap(house, await assign(house, one, "T4"), other)
    assert await house.seats_of(one.id) == {"T3"}
    assert await house.seats_of(other.id) == {"T4"}


async def test_a_swap_that_fits_only_one_of_them_is_none(house: House) -> None:
    small, large = (await house.book(2)).booking, (await house.book(4)).booking
    with pytest.raises(NoTableForParty):
        await swap(house, small, large)
    late = (await house.book(2, house.start(22))).booking
    blocked = (await house.book(4, house.start(21))).booking
    assert await house.seats_of(late.id) == {"T1"}
    early = (await house.book(2)).booking
    assert await house.seats_of(early.id) == {"T2"}
    early = await assign(house, early, "T4")
    with pytest.raises(SlotTaken):  # T1 is small's until half past eight
        await swap(house, early, late)
    assert await house.seats_of(early.id) == {"T4"}
    assert await house.seats_of(late.id) == {"T1"}
    assert blocked.status is Status.CONFIRMED


async def test_a_booking_swaps_with_another_one_of_its_venue_only(
    app: App, payments: Payments, house: House
) -> None:
    made = (await house.book(2)).booking
    with pytest.raises(Inconsistent):
        await swap(house, made, made)
    second = await open_house(app, payments)
    stranger = (await second.book(2)).booking
    with pytest.raises(Exception, match="BOOKING_NOT_FOUND"):
        await swap(house, made, stranger)


async def test_a_swap_needs_both_versions(house: House) -> None:
    one, other = (await house.book(2)).booking, (await house.book(2)).booking
    for versions in ((2, 1), (1, 2)):
        with pytest.raises(VersionMismatch):
            await assignments.swap(
                house.app,
                house.organization,
                (one.id, versions[0]),
                (other.id, versions[1]),
                actor=STAFF,
            )
    await assignments.swap(house.app, house.organization, (one.id, 1), (other.id, 1), actor=STAFF)


async def test_a_pinned_booking_keeps_its_table_when_it_moves(house: House) -> None:
    made = (await house.book(2)).booking
    pinned = await assign(house, made, "T4", pinned=True)
    assert pinned.pinned
    moved = await move(house, pinned, Move(house.start(20)))
    assert await house.seats_of(moved.id) == {"T4"}
    with pytest.raises(NoTableForParty):
        await move(house, pinned, Move(party_size=7))
    freed = await assignments.pin(house.app, house.organization, made.id, pinned=False, actor=STAFF)
    assert not freed.pinned
    assert await move(house, freed, Move(house.start(21))) is not None
    assert await house.seats_of(made.id) == {"T1"}
    assert [kind for kind, _ in await house.history(made.id)] == [
        "confirmed",
        "assigned",
        "moved",
        "unpinned",
        "moved",
    ]


async def test_a_party_grows_and_gets_the_table_and_the_time_for_it(house: House) -> None:
    made = (await house.book(2)).booking
    grown = await move(house, made, Move(party_size=4))
    assert (grown.party_size, grown.start, grown.end - grown.start) == (4, made.start, timedelta(minutes=120))
    assert await house.seats_of(made.id) == {"T3"}
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingMoved)
    assert (event.previous_party_size, event.booking.party_size) == (2, 4)
    with pytest.raises(NoTableForParty):
        await move(house, grown, Move(party_size=11))
    await house.book(6)
    with pytest.raises(SlotTaken):
        await move(house, grown, Move(party_size=5))
    assert (await house.read(made.id)) == grown


async def test_a_party_that_grows_or_shrinks_pays_for_each_who_comes_what_stood_when_it_was_booked(
    house: House,
) -> None:
    offered = await house.offer(Terms(price_per_person=Money(4200, "EUR"), policy="Be kind"))
    made = await offered.book(2)
    assert (made.booking.price, made.booking.policy) == (Money(8400, "EUR"), "Be kind")
    await offerings.update_terms(
        house.app,
        house.organization,
        house.ref,
        offered.offering.id,
        Pricing("Dinner, dearer", None, Terms(price_per_person=Money(9900, "EUR"))),
    )
    grown = await links.move_managed_booking(house.app, made.manage_token, Move(party_size=4))
    assert (grown.price, grown.deposit) == (Money(16800, "EUR"), None)
    shrunk = await move(house, grown, Move(party_size=1))
    read = await house.read(shrunk.id)
    assert (shrunk.price, read.price, read.price_per_person) == (
        Money(4200, "EUR"), Money(4200, "EUR"), Money(4200, "EUR"),
    )  # fmt: skip
    told = [e for e in await outbox.published(house.app.db) if isinstance(e, events_pb2.BookingMoved)]
    assert [each.booking.price.amount for each in told] == [16800, 4200]


async def test_a_party_changes_at_a_start_that_is_too_near_to_be_booked_by_now(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=-20)
    grown = await move(house, made, Move(party_size=1))
    assert grown.party_size == 1
    with pytest.raises(SlotTooSoon):
        await move(house, made, Move(int(made.created_at.timestamp()) - 3600))


async def test_the_link_shows_what_cancelling_costs_before_it_is_done(house: House) -> None:
    free = await links.get_managed_booking(house.app, (await house.book(2)).manage_token)
    assert (free.fee_if_cancelled, free.free_until, free.movable, free.cancellable) == (
        None,
        None,
        True,
        True,
    )
    made = await house.book(2)
    await links.cancel_managed_booking(house.app, made.manage_token)
    gone = await links.get_managed_booking(house.app, made.manage_token)
    assert (gone.movable, gone.cancellable) == (False, False)


async def test_a_change_by_link_can_expect_a_version(house: House) -> None:
    made = await house.book(2)
    await move(house, made.booking, Move(house.start(20)))
    with pytest.raises(VersionMismatch):
        await links.move_managed_booking(house.app, made.manage_token, Move(party_size=1, expected_version=1))
    with pytest.raises(VersionMismatch):
        await links.cancel_managed_booking(house.app, made.manage_token, expected_version=1)


async def booked_with(house: House, start: int, party: int, *rules: Rule, role: str = "host") -> Booking:
    wish = house.wish(party, start)
    wish = type(wish).of(
        wish.guest,
        offering_id=wish.offering_id,
        start=wish.start,
        party_size=party,
        notes="",
        override=Override.of(rules, "The mayor"),
    )
    caller = member(house.organization, role)
    return (await bookings.create_booking(house.app, house.ref, wish, caller=caller)).booking


@pytest.mark.parametrize(
    ("rule", "when", "party"),
    [
        (Rule.CLOSED, lambda house: house.start(15, 7), 2),
        (Rule.ADVANCE, lambda house: house.start(days=120), 2),
        (Rule.PARTY_SIZE, lambda house: house.start(), 12),
    ],
)
async def test_staff_set_one_rule_aside_and_no_other(
    house: House, rule: Rule, when: Callable[[House], int], party: int
) -> None:
    for other in set(Rule) - {rule}:
        with pytest.raises(Exception, match=r"SLOT_CLOSED|SLOT_TOO_FAR_AHEAD|NO_TABLE_FOR_PARTY"):
            await booked_with(house, when(house), party, other)
    made = await booked_with(house, when(house), party, rule)
    assert made.live
    assert made.overridden == {rule}
    (first,) = (await bookings.list_history(house.app, house.organization, made.id, WHOLE))[1]
    assert (first.reason.text, first.differences) == ("The mayor", {"overridden": [rule.value]})
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingConfirmed | events_pb2.BookingHeld)
    assert len(event.booking.overridden) == 1
    assert b"mayor" not in event.SerializeToString()


async def test_what_is_over_or_taken_is_set_aside_for_nobody(house: House) -> None:
    with pytest.raises(SlotTooSoon):
        await booked_with(house, house.start(days=-1), 2, *Rule)
    for _ in range(4):
        await booked_with(house, house.start(), 2, *Rule)
    with pytest.raises(SlotTaken):
        await booked_with(house, house.start(), 2, *Rule)


async def test_nobody_but_staff_who_may_change_bookings_sets_rules_aside(house: House) -> None:
    wish = house.wish(2, house.start(15))
    wish = type(wish).of(
        wish.guest,
        offering_id=wish.offering_id,
        start=wish.start,
        party_size=2,
        notes="",
        override=Override.of([Rule.CLOSED], "Please"),
    )
    for caller in (anonymous(), member(ids.new()), member(house.organization, "viewer")):
        with pytest.raises(OverrideDenied):
            await bookings.create_booking(house.app, house.ref, wish, caller=caller)
    assert await house.occupied() == []


async def test_an_exception_from_the_hours_is_not_inherited_by_a_move_of_the_guest(house: House) -> None:
    made = await booked_with(house, house.start(15), 2, Rule.CLOSED)
    with pytest.raises(SlotClosed):
        await move(house, made, Move(house.start(16)))
    excepted = Move(house.start(16), override=Override.of([Rule.CLOSED], "Again"))
    assert (await move(house, made, excepted)).start.hour == (made.start.hour + 1) % 24
