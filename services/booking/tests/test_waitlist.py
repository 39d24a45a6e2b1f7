"""Joining a waitlist and leaving it: what is refused, who is who, and what ends an entry."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.consumer import HANDLERS
from booking.domain.bookings import Actor, ActorKind, Booking, Status
from booking.domain.waitlist import (
    EntryStatus,
    SlotAvailable,
    WaitlistOfferPending,
    WaitlistStateConflict,
    WaitlistTokenNotFound,
)
from booking.tables import GUESTS, WAITLIST_ENTRIES
from booking.timers import TIMERS
from booking.usecases import waitlist
from booking.usecases.waitlist import WAITLIST_END
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import AppError
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from servicekit.paging import page
from testkit import outbox, timers
from testkit.events import event_of

from .conftest import PARIS, House, Payments
from .line import Line, ask_of, cancel, small_house

_GUEST = Actor(ActorKind.GUEST)
_STAFF = Actor(ActorKind.MEMBER, ids.new())


@pytest.fixture
async def line(app: App, payments: Payments) -> Line:
    return Line(await small_house(app, payments))


async def confirmed(house: House, booking: Booking) -> Event:
    """The event that a booking was confirmed, as the log delivers it now."""
    snapshot = events_pb2.BookingSnapshot(booking_id=ids.show("bkg", booking.id))
    return event_of(events_pb2.BookingConfirmed(booking=snapshot), house.organization)


async def test_a_party_joins_for_what_is_sold_out_and_sees_its_place_in_line(line: Line) -> None:
    for days in (7, 8, 9):
        await line.house.book(2, line.house.start(days=days))
    first = await line.wait("anna")
    second = await line.wait("ben")
    elsewhere = await line.wait("carl", days=8, flexible_days=1)
    assert [seen.position for seen in (first, second, elsewhere)] == [1, 2, 3]
    assert (first.entry.status, second.entry.status) == (EntryStatus.WAITING, EntryStatus.WAITING)
    await line.leave("anna")
    assert (await line.see("ben")).position == 1
    assert (await line.see("anna")).position == 0
    assert await line.told() == ["WaitlistJoined"] * 3 + ["WaitlistClosed"]


async def test_another_time_of_the_day_is_another_line(line: Line) -> None:
    for start in (line.house.start(), line.house.start(21)):
        await line.house.book(2, start)
    await line.wait("anna")
    late = await line.wait("ben", earliest="21:00", latest="21:00")
    assert late.position == 1


async def test_nobody_waits_for_what_can_be_booked(line: Line) -> None:
    with pytest.raises(SlotAvailable) as caught:
        await line.wait("anna", flexible_days=1)
    shown = datetime.fromisoformat(caught.value.metadata["start"])
    assert int(shown.timestamp()) == line.house.start()
    await line.house.book()
    with pytest.raises(SlotAvailable) as caught:  # the day before, and the day after
        await line.wait("anna", flexible_days=1)
    shown = datetime.fromisoformat(caught.value.metadata["start"])
    assert int(shown.timestamp()) == line.house.start(days=6)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"earliest": "03:00", "latest": "04:00"}, "SLOT_CLOSED"),
        ({"party_size": 7}, "NO_TABLE_FOR_PARTY"),
        ({"days": 91}, "SLOT_TOO_FAR_AHEAD"),
        ({"days": 90, "flexible_days": 2}, "SLOT_TOO_FAR_AHEAD"),
        ({"days": -1}, "SLOT_TOO_SOON"),
    ],
)
async def test_nobody_waits_for_what_could_never_be_offered(
    line: Line, how: dict[str, object], reason: str
) -> None:
    for days in (88, 89, 90):
        await line.house.book(2, line.house.start(days=days))
    with pytest.raises(AppError) as caught:
        await line.wait("anna", **how)
    assert caught.value.reason == reason
    assert await line.told() == []


async def test_one_contact_waits_once_and_joining_again_changes_the_wish_in_its_place(line: Line) -> None:
    house = line.house
    for days in (7, 8, 9):
        await house.book(2, house.start(days=days))
    first = await line.wait("Anna")
    old = line.tokens["Anna"]
    await line.wait("ben")
    again = ask_of(house, "anna", days=8, flexible_days=1)
    seen = await line.join(replace(again, guest=replace(again.guest, email=" ANNA@Example.org")), proof=old)
    assert seen.entry.id == first.entry.id
    assert (seen.position, seen.entry.ask.flexible_days, seen.entry.version) == (1, 1, 2)
    assert seen.entry.ask.guest.name == "anna"
    with pytest.raises(WaitlistTokenNotFound):
        await waitlist.get_entry_of_link(house.app, old)
    found, _venue = await waitlist.get_entry_of_link(house.app, line.tokens["anna"])
    assert found.entry.id == first.entry.id
    async with house.app.db.begin(house.organization) as tx:
        names = (await tx.execute(sa.select(GUESTS.c.name).where(GUESTS.c.email.ilike("%anna%")))).scalars()
        assert list(names) == ["anna"]


async def test_the_link_of_one_entry_does_not_change_another_of_the_same_address(line: Line) -> None:
    house = line.house
    for days in (6, 7, 8):
        await house.book(2, house.start(days=days))
    first, second = await line.wait("anna", days=6), await line.wait("anna", days=8)
    assert first.entry.id != second.entry.id
    await line.wait("anna", days=7, flexible_days=1)
    for before in (first, second):
        after = await waitlist.get_entry(house.app, house.organization, before.entry.id)
        assert replace(after.entry, link_mailed_at=None) == before.entry


async def test_an_offer_has_to_be_answered_before_the_wish_changes(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await cancel(line.house, made.booking)
    await line.sweep()
    with pytest.raises(WaitlistOfferPending):
        await line.wait("anna")
    await line.decline("anna")
    await line.house.book()
    assert (await line.wait("anna")).entry.status is EntryStatus.WAITING


async def test_the_same_idempotency_key_finds_the_same_entry_with_a_further_link(line: Line) -> None:
    await line.house.book()
    ask, key = ask_of(line.house, "anna"), f"key-{ids.new()}"
    first = await line.join(ask, key=key)
    token = line.tokens["anna"]
    second = await line.join(ask, key=key)
    assert first.entry == second.entry
    for each in (token, line.tokens["anna"]):
        assert (await waitlist.get_entry_of_link(line.house.app, each))[0].entry.id == first.entry.id
    assert await line.told() == ["WaitlistJoined"]


@pytest.mark.parametrize("status", [EntryStatus.WITHDRAWN, EntryStatus.REMOVED])
async def test_whoever_leaves_gives_back_what_was_held(line: Line, status: EntryStatus) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await line.wait("ben")
    await cancel(line.house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    assert (await line.leave("anna", status)).status is status
    assert (await line.leave("anna", status)).status is status
    assert (await line.house.read(held.id)).status is Status.EXPIRED
    await line.sweep()
    assert await line.status("ben") is EntryStatus.OFFERED
    other = EntryStatus.REMOVED if status is EntryStatus.WITHDRAWN else EntryStatus.WITHDRAWN
    with pytest.raises(WaitlistStateConflict):
        await line.leave("anna", other)


async def test_staff_who_cancel_what_is_held_take_the_party_off_the_list(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await cancel(line.house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    await cancel(line.house, held)
    assert (await line.see("anna")).offered is None
    await line.house.ring("waitlist_offer", held.id)
    assert await line.status("anna") is EntryStatus.REMOVED


async def test_whoever_books_in_another_way_waits_no_more_and_gives_back_what_was_held(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("claire", flexible_days=0)
    await line.wait("ben")
    await cancel(house, made.booking)
    await line.sweep()
    held = await line.offered("claire")
    booked = await house.book(2, house.start(21))  # by claire@example.org
    event = await confirmed(house, booked.booking)
    await HANDLERS[events_pb2.BookingConfirmed](house.app, event)
    assert await line.status("claire") is EntryStatus.CLOSED
    assert (await house.read(held.id)).status is Status.EXPIRED
    await line.sweep()
    assert await line.status("ben") is EntryStatus.OFFERED
    with pytest.raises(AlreadyHandled):
        await HANDLERS[events_pb2.BookingConfirmed](house.app, event)
    closed = [e for e in await outbox.published(house.app.db) if isinstance(e, events_pb2.WaitlistClosed)]
    assert [each.booking_id for each in closed] == [ids.show("bkg", booked.booking.id)]


async def test_a_booking_closes_nothing_that_was_asked_for_later_or_by_others_or_elsewhere(
    line: Line,
) -> None:
    house = line.house
    booked = await house.book()
    event = await confirmed(house, booked.booking)
    await house.book(2, house.start(days=8))
    await line.wait("claire", days=8)
    await line.wait("ben")
    await HANDLERS[events_pb2.BookingConfirmed](house.app, event)
    assert await line.status("claire") is EntryStatus.WAITING
    assert await line.status("ben") is EntryStatus.WAITING
    await line.wait("claire", days=7)  # after the booking: for another start of the day, say
    earlier = replace(event, id=ids.new(), time=event.time - timedelta(minutes=1))
    await HANDLERS[events_pb2.BookingConfirmed](house.app, earlier)
    assert await line.status("claire") is EntryStatus.WAITING


async def test_the_booking_of_an_accepted_offer_closes_nothing(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await cancel(line.house, made.booking)
    await line.sweep()
    accepted = await line.accept("anna")
    await HANDLERS[events_pb2.BookingConfirmed](line.house.app, await confirmed(line.house, accepted.booking))
    assert await line.status("anna") is EntryStatus.ACCEPTED


async def test_whoever_waits_for_what_is_over_waits_no_more(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    day = datetime.now(UTC).date() - timedelta(days=3)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(best_date=day, first_date=day, last_date=day))
    assert await line.status("anna") is EntryStatus.EXPIRED
    (timer,) = await timers.scheduled(house.app.db, WAITLIST_END)
    assert timer.due_at.astimezone(UTC) == ask_of(house).over_at(PARIS)
    await TIMERS[WAITLIST_END](house.app, timer)
    assert await line.told() == ["WaitlistJoined", "WaitlistClosed"]
    assert await timers.scheduled(house.app.db, WAITLIST_END) == []


async def test_staff_read_the_line_by_day_in_pages(line: Line) -> None:
    house = line.house
    for days in (7, 8):
        await house.book(2, house.start(days=days))
    for name in ("anna", "ben", "carl"):
        await line.wait(name, flexible_days=0)
    await line.wait("dora", days=8)
    await line.leave("ben")

    async def names(days: int, *, include_ended: bool = False) -> list[str]:
        found, more = await waitlist.list_waitlist(
            house.app,
            house.organization,
            house.ref,
            day=house.day(days),
            include_ended=include_ended,
            page=page(50, "", keys=1),
        )
        assert more == ""
        return [seen.entry.ask.guest.name for seen in found]

    assert await names(7) == ["anna", "carl"]
    assert await names(7, include_ended=True) == ["anna", "ben", "carl"]
    assert await names(8) == ["dora"]
    assert await names(9) == []


async def test_a_mail_about_an_entry_finds_everything_it_needs_and_a_fresh_link(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    described = await waitlist.describe_entry(
        house.app, house.organization, line.entries["anna"], issue_token=True
    )
    assert (described.offering_name, described.venue.id) == ("Dinner", house.venue_id)
    for token in (described.token, line.tokens["anna"]):
        assert (await waitlist.get_entry_of_link(house.app, token))[0].entry.id == line.entries["anna"]
    plain = await waitlist.describe_entry(
        house.app, house.organization, line.entries["anna"], issue_token=False
    )
    assert plain.token == ""


async def test_a_link_dies_thirty_days_after_the_last_day(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    day = datetime.now(UTC).date() - timedelta(days=40)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(best_date=day, first_date=day, last_date=day))
    for token in (line.tokens["anna"], "guess", ""):
        with pytest.raises(WaitlistTokenNotFound):
            await waitlist.open_link(house.app, token)


async def test_an_address_alone_neither_changes_an_entry_nor_tells_that_there_is_one(line: Line) -> None:
    """Somebody joins with an address that they know: the answer is a stranger's, and nothing else happens."""
    house = line.house
    made = await house.book()
    await line.wait("anna")
    secret, told = line.tokens["anna"], await line.told()
    stranger, _ = await waitlist.join_waitlist(house.app, house.ref, ask_of(house, "ben"))
    for proof in ("", "wrong", secret[::-1]):
        answer, token = await waitlist.join_waitlist(
            house.app, house.ref, ask_of(house, "anna", 1), proof=proof
        )
        shown = (answer.entry.status, answer.entry.version, answer.position, answer.entry.created_at is None)
        assert shown == (stranger.entry.status, stranger.entry.version, 3, False)
        seen, _ = await waitlist.get_entry_of_link(house.app, token)
        assert seen.entry.id == answer.entry.id != line.entries["anna"]
        assert seen.entry.ask.party_size == 1
    kept, _ = await waitlist.get_entry_of_link(house.app, secret)
    assert (kept.entry.id, kept.entry.ask.party_size, kept.position) == (line.entries["anna"], 2, 1)
    assert (await line.told())[len(told) :] == ["WaitlistJoined", "WaitlistLinkRequested"], (
        "one is a stranger's"
    )
    await cancel(house, made.booking)
    await line.sweep()
    assert [offer.entry_id for offer in await line.pending()] == [line.entries["anna"]]
    left = await waitlist.leave_waitlist(
        house.app, house.organization, answer.entry.id, EntryStatus.WITHDRAWN
    )
    assert left.status is EntryStatus.WITHDRAWN
    assert "WaitlistClosed" not in await line.told()


async def test_an_offer_that_waits_is_not_told_to_whoever_knows_the_address(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await cancel(house, made.booking)
    await line.sweep()
    answer, _ = await waitlist.join_waitlist(house.app, house.ref, ask_of(house, "anna"))
    assert answer.entry.status is EntryStatus.WAITING
    with pytest.raises(WaitlistOfferPending):
        await line.wait("anna")
