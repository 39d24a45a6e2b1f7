"""Staff by permission, guests by everything else: who passes which rules, with a booking and after it."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from booking.domain.bookings import CancelledBy, Status
from booking.domain.floor import Channel
from booking.domain.overrides import Override, OverrideDenied, Rule
from booking.domain.refusals import NoTableForParty, Refusal, SlotClosed, SlotEndsTooLate, SlotPaced
from booking.domain.terms import RequestRule, Terms
from booking.events.messages import change_message
from booking.store import bookings as store
from booking.usecases import availability, changes, links, pacing, requests
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from booking.usecases.directory import staff
from booking.usecases.pacing import Limits
from booking.usecases.requests import Answer
from servicekit import ids
from testkit.callers import member, visitor

from .conftest import House
from .rooms import STAFF, book, furnish, search
from .test_hours_changes import close, reasons, update_shift

ONE_ONLINE = Limits(None, 15, max_covers=8, max_parties=None, online_covers=2, online_parties=None)


@pytest.mark.parametrize(
    ("role", "channel"),
    [
        ("owner", Channel.STAFF),
        ("host", Channel.STAFF),
        ("viewer", Channel.ONLINE),
        ("accountant", Channel.ONLINE),
    ],
)
async def test_only_members_who_may_change_bookings_search_and_book_as_staff(
    house: House, role: str, channel: Channel
) -> None:
    by_staff = channel is Channel.STAFF
    caller = member(house.organization, role)
    asking = await house.offer(Terms(requests=RequestRule(1)))
    found = await availability.search_availability(
        house.app, house.ref, house.day(), party_size=2, offering_id=asking.offering.id, caller=caller
    )
    assert {slot.asks_first for slot in found.slots} == {not by_staff}
    made = (await book(asking, asking.wish(2), caller)).booking
    assert made.channel is channel
    assert made.status is (Status.CONFIRMED if by_staff else Status.REQUESTED)
    actor = "member" if by_staff else "guest"
    assert (await house.history(made.id))[0] == (made.status.value, actor)


@pytest.mark.parametrize(("role", "actor"), [("host", "key"), ("viewer", "connector")])
async def test_a_program_with_a_key_books_as_staff_or_for_guests(house: House, role: str, actor: str) -> None:
    key = ids.new()
    caller = replace(member(house.organization, role), user=None, key=key)
    made = (await book(house, house.wish(2), caller)).booking
    assert made.channel is (Channel.STAFF if actor == "key" else Channel.ONLINE)
    assert (await house.history(made.id))[0] == ("confirmed", actor)
    async with house.app.db.begin(house.organization) as tx:
        line = change_message(ZoneInfo("Europe/Paris"), (await store.list_changes(tx, made.id))[0])
    assert (line.actor, line.user_id, line.key_id) == (actor, "", ids.show("key", key))


async def test_an_operator_with_access_books_and_changes_as_staff_and_the_history_says_so(
    house: House,
) -> None:
    operator = visitor(house.organization, write=True)
    made = (await book(house, house.wish(2), operator)).booking
    assert made.channel is Channel.STAFF
    await changes.cancel_booking(
        house.app, house.organization, made.id, by=CancelledBy.VENUE, actor=staff(operator)
    )
    async with house.app.db.begin(house.organization) as tx:
        lines = [
            change_message(ZoneInfo("Europe/Paris"), each) for each in await store.list_changes(tx, made.id)
        ]
    who = ids.show("opr", operator.operator) if operator.operator else ""
    assert {(each.actor, each.operator_id, each.user_id, each.key_id) for each in lines} == {
        ("operator", who, "", "")
    }
    assert len(lines) == 2


async def test_an_operator_who_only_looks_books_as_anybody_does(house: House) -> None:
    made = (await book(house, house.wish(2), visitor(house.organization))).booking
    assert made.channel is Channel.ONLINE
    assert (await house.history(made.id))[0] == ("confirmed", "guest")


@pytest.mark.parametrize("role", ["host", "viewer"])
async def test_tables_and_quotas_of_staff_are_for_staff_only(house: House, role: str) -> None:
    for name in ("T1", "T2", "T3", "T4"):
        await furnish(house, name, online=name == "T1")
    caller = member(house.organization, role)
    await book(house, house.wish(2))
    shown = (await search(house, 2, caller=caller))[0]
    await pacing.create_rule(house.app, house.organization, house.ref, ONE_ONLINE)
    if role == "host":
        assert shown is None
        assert (await book(house, house.wish(2), caller)).booking.channel is Channel.STAFF
    else:
        assert shown is Refusal.FULLY_BOOKED
        with pytest.raises(SlotPaced):
            await book(house, house.wish(2), caller)


async def test_who_only_looks_at_bookings_sets_no_rule_aside(house: House) -> None:
    wish = replace(house.wish(2), override=Override.of([Rule.NOTICE], "A friend"))
    with pytest.raises(OverrideDenied):
        await book(house, wish, member(house.organization, "viewer"))


async def excepted(house: House, party_size: int, *rules: Rule, hour: int = 20) -> Made:
    """Staff book beside the rules, for a guest who has the link."""
    wish = replace(house.wish(party_size, house.start(hour)), override=Override.of(rules, "A regular"))
    return await book(house, wish, member(house.organization))


async def test_a_guest_does_not_grow_what_staff_booked_by_exception(house: House) -> None:
    free = await house.offer(Terms())
    made = await excepted(free, 12, Rule.PARTY_SIZE)
    for size in (13, 1000):
        with pytest.raises(NoTableForParty):
            await links.move_managed_booking(house.app, made.manage_token, Move(party_size=size))
    later = await links.move_managed_booking(house.app, made.manage_token, Move(house.start(21)))
    assert (later.party_size, later.overridden) == (12, {Rule.PARTY_SIZE})
    fewer = await links.move_managed_booking(house.app, made.manage_token, Move(party_size=11))
    assert fewer.overridden == {Rule.PARTY_SIZE}
    grown = await changes.move_booking(
        house.app, house.organization, made.booking.id, Move(party_size=13), actor=STAFF
    )
    assert (grown.party_size, grown.overridden) == (13, {Rule.PARTY_SIZE})


async def test_a_guest_who_outgrows_an_exception_within_what_there_is_needs_none_any_more(
    house: House,
) -> None:
    free = await house.offer(Terms())
    for name, least in (("T1", 2), ("T2", 2), ("T3", 2)):
        await furnish(house, name, min_party=least)
    made = await excepted(free, 1, Rule.PARTY_SIZE)
    moved = await links.move_managed_booking(house.app, made.manage_token, Move(party_size=3))
    assert (moved.overridden, await house.seats_of(moved.id)) == (frozenset(), {"T3"})


@pytest.mark.parametrize("by_link", [True, False])
async def test_a_stay_that_gets_longer_keeps_to_the_hours(house: House, *, by_link: bool) -> None:
    await update_shift(house, must_finish=True, closes="23:30")
    made = await house.book(2, house.start(22))
    before = await house.book(2, house.start(19))
    await close(house, begins="20:45", ends="21:30")

    async def grow(of: Made, size: int) -> None:
        to = Move(party_size=size)
        if by_link:
            await links.move_managed_booking(house.app, of.manage_token, to)
        else:
            await changes.move_booking(house.app, house.organization, of.booking.id, to, actor=STAFF)

    with pytest.raises(SlotEndsTooLate):
        await grow(made, 4)
    with pytest.raises(SlotClosed):
        await grow(before, 4)
    await grow(made, 1)
    assert await reasons(house) == []
    waiving = Move(party_size=4, override=Override.of([Rule.CLOSED], "They know the cook"))
    at = house.app, house.organization, before.booking.id
    assert (await changes.move_booking(*at, waiving, actor=STAFF)).overridden == {Rule.CLOSED}
    assert await reasons(house) == []


async def test_an_exception_of_hours_is_not_the_guests_to_stretch(house: House) -> None:
    made = await excepted(house, 2, Rule.CLOSED, hour=15)
    with pytest.raises(SlotClosed):
        await links.move_managed_booking(house.app, made.manage_token, Move(party_size=4))
    at = house.app, house.organization, made.booking.id
    grown = await changes.move_booking(*at, Move(party_size=4), actor=STAFF)
    assert (grown.party_size, grown.overridden) == (4, {Rule.CLOSED})


async def test_what_was_set_aside_for_one_start_counts_at_another(house: House) -> None:
    free = await house.offer(Terms())
    everything = await excepted(free, 12, *Rule, hour=15)
    assert everything.booking.overridden == set(Rule)
    at = house.app, house.organization, everything.booking.id
    moved = await changes.move_booking(*at, Move(house.start(20)), actor=STAFF)
    assert moved.overridden == {Rule.PARTY_SIZE}
    neighbour = await house.book(2, house.start(20))
    assert set((await close(house)).stranded) == {moved.id, neighbour.booking.id}
    stays = Override.of([Rule.CLOSED], "In the kitchen")
    moved = await changes.move_booking(*at, Move(house.start(21), override=stays), actor=STAFF)
    assert moved.overridden == {Rule.PARTY_SIZE, Rule.CLOSED}
    assert await reasons(house) == [(neighbour.booking.id, "closed")]


async def confirm(house: House, asked: Made, *rules: Rule) -> None:
    override = Override.of(rules, "The mayor") if rules else None
    await requests.confirm_request(
        house.app, house.organization, asked.booking.id, Answer(override=override), actor=STAFF
    )


@pytest.mark.parametrize("keeps_room", [True, False])
async def test_a_request_is_confirmed_by_the_rules_of_staff_or_by_exception(
    house: House, *, keeps_room: bool
) -> None:
    asking = await house.offer(Terms(requests=RequestRule(4, holds_capacity=keeps_room)))
    asked = await asking.book(4)
    await house.book(2)
    await house.book(2)
    await pacing.create_rule(house.app, house.organization, house.ref, Limits(None, 15, 4, None, None, None))
    for rules in ((), (Rule.CLOSED, Rule.NOTICE, Rule.ADVANCE, Rule.PARTY_SIZE)):
        with pytest.raises(SlotPaced):
            await confirm(house, asked, *rules)
    assert (await house.read(asked.booking.id)).version == 1
    await close(house)
    with pytest.raises(SlotClosed):
        await confirm(house, asked, Rule.PACING)
    await confirm(house, asked, Rule.PACING, Rule.CLOSED)
    confirmed = await house.read(asked.booking.id)
    assert (confirmed.status, confirmed.overridden) == (Status.CONFIRMED, {Rule.PACING, Rule.CLOSED})
    assert asked.booking.id not in {booking for booking, _ in await reasons(house)}


async def test_a_request_whose_stay_runs_into_a_closure_is_not_confirmed(house: House) -> None:
    asking = await house.offer(Terms(requests=RequestRule(2)))
    asked = await asking.book(4, house.start(22))
    await close(house, begins="23:45", ends="23:59")
    with pytest.raises(SlotClosed):
        await confirm(house, asked)
    await confirm(house, asked, Rule.CLOSED)


async def test_quotas_of_guests_do_not_bind_staff_who_confirm(house: House) -> None:
    asking = await house.offer(Terms(requests=RequestRule(4)))
    asked = await asking.book(4)
    await pacing.create_rule(house.app, house.organization, house.ref, ONE_ONLINE)
    await confirm(house, asked)
    assert (await house.read(asked.booking.id)).overridden == frozenset()
