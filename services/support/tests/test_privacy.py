"""Support's part in requests about persons: no word is left, and none comes after."""

import asyncio
import json
from collections.abc import Sequence
from uuid import UUID

import pytest
from google.protobuf.message import Message

from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.support.v1 import events_pb2
from servicekit import ids
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from support.consumer import HANDLERS
from support.domain import BookingErased, Ticket, TicketStatus
from support.store import privacy as store
from support.store import tickets as ticket_store
from support.usecases import tickets as usecases
from testkit import outbox
from testkit.events import event_of
from testkit.privacy import PrivacyOffice, traces

from .conftest import Desk

WORDS = ("Are there nuts?", "my late husband", "There are none.")


async def handle(desk: Desk, event: Event) -> None:
    await HANDLERS[type(event.message)](desk.app, event)


def told(message: type[Message], desk: Desk, *bookings: UUID, user: UUID | None = None) -> Event:
    """Booking has done its part."""
    about = message(  # type: ignore[call-arg]
        request_id=ids.show("prq", ids.new()),
        user_id=ids.show("usr", user) if user else "",
        booking_ids=[ids.show("bkg", each) for each in bookings],
    )
    return event_of(about, None if user else desk.organization)


async def receipts(desk: Desk) -> Sequence[Message]:
    return [
        each
        for each in await outbox.published(desk.app.db)
        if isinstance(each, events_pb2.PersonalDataErased)
    ]


async def talk(desk: Desk, booking: UUID) -> Ticket:
    """A guest asks, staff answer."""
    ticket = await desk.open(desk.link(booking), subject=WORDS[1])
    return await desk.answer(ticket)


async def read(desk: Desk, ticket: Ticket) -> Ticket:
    return await usecases.get_ticket(desk.app, desk.organization, ticket.id)


async def test_no_word_of_an_erased_guest_or_about_them_is_left(desk: Desk) -> None:
    booking = ids.new()
    ticket = await talk(desk, booking)
    assert {each.partition(" in ")[0] for each in await traces(desk.app.db, WORDS)} == set(WORDS)
    event = told(booking_events.PersonalDataErased, desk, booking, ids.new())
    await handle(desk, event)
    assert await traces(desk.app.db, WORDS) == set()
    assert (await read(desk, ticket)).status is TicketStatus.RESOLVED
    (receipt,) = await receipts(desk)
    assert receipt.request_id == event.message.request_id  # type: ignore[attr-defined]
    counted = {each.table: each.rows for each in receipt.erased}  # type: ignore[attr-defined]
    assert counted == {"tickets": 1, "ticket_messages": 2}


async def test_a_repetition_changes_nothing_and_a_stranger_gets_a_receipt(desk: Desk) -> None:
    event = told(booking_events.PersonalDataErased, desk)
    await handle(desk, event)
    with pytest.raises(AlreadyHandled):
        await handle(desk, event)
    (receipt,) = await receipts(desk)
    assert {each.rows for each in receipt.erased} == {0}  # type: ignore[attr-defined]


async def test_other_guests_and_other_organizations_keep_their_tickets(desk: Desk) -> None:
    booking, elsewhere = ids.new(), desk.elsewhere()
    mine, theirs = await talk(desk, ids.new()), await talk(elsewhere, booking)
    await handle(desk, told(booking_events.PersonalDataErased, desk, booking))
    assert (await read(desk, mine)).subject == WORDS[1]
    assert (await read(elsewhere, theirs)).subject == WORDS[1]


async def test_a_link_that_was_opened_before_the_erasure_opens_no_ticket_after_it(desk: Desk) -> None:
    booking = ids.new()
    await handle(desk, told(booking_events.PersonalDataErased, desk, booking))
    with pytest.raises(BookingErased):
        await desk.open(desk.link(booking))
    await desk.open()


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_ticket_that_is_being_opened_is_waited_for(desk: Desk, *, guarded: bool) -> None:
    """Unguarded it is the control: then the words would be left for ever."""
    booking = ids.new()
    about = await talk(desk, booking)
    async with desk.app.db.begin(desk.organization) as tx:
        if guarded:
            assert not await store.is_erased(tx, booking)
        erasing = asyncio.create_task(handle(desk, told(booking_events.PersonalDataErased, desk, booking)))
        await asyncio.wait([erasing], timeout=0.5)
        late = Ticket.open(
            ids.new(), booking_id=booking, subject="late", message_id=ids.new(), text=WORDS[0], now=tx.now
        )
        await ticket_store.insert_ticket(tx, late)
    await erasing
    assert (await read(desk, about)).subject == store.ERASED
    assert (await traces(desk.app.db, [WORDS[0]]) == set()) is guarded


async def test_an_export_has_what_was_written_and_not_who_of_the_staff_wrote(
    desk: Desk, privacy_office: PrivacyOffice
) -> None:
    booking = ids.new()
    await talk(desk, booking)
    await talk(desk, ids.new())
    event = told(booking_events.PersonalDataExported, desk, booking)
    await handle(desk, event)
    with pytest.raises(AlreadyHandled):
        await handle(desk, event)
    part = privacy_office.parts[event.message.request_id, "support"].decode()
    assert all(each in part for each in WORDS)
    assert str(desk.staff) not in part
    assert {name: len(rows) for name, rows in json.loads(part).items()} == {
        "tickets": 1, "ticket_messages": 2,
    }  # fmt: skip


async def test_of_an_account_it_tells_what_the_member_wrote_in_all_organizations(
    desk: Desk, privacy_office: PrivacyOffice
) -> None:
    elsewhere = Desk(desk.app, desk.links, staff=desk.staff)
    await talk(desk, ids.new())
    await talk(elsewhere, ids.new())
    await handle(desk, told(booking_events.PersonalDataExported, desk, user=desk.staff))
    (part,) = privacy_office.parts.values()
    written = json.loads(part)["ticket_messages"]
    assert {each["organization_id"] for each in written} == {
        str(desk.organization), str(elsewhere.organization),
    }  # fmt: skip
    assert {each["text"] for each in written} == {WORDS[2]}
    await handle(desk, told(booking_events.PersonalDataErased, desk, user=desk.staff))
    assert len(await receipts(desk)) == 1
