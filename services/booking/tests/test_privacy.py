"""Booking's part in requests about persons: found however they wrote, forgotten everywhere, told all."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message

from booking.consumer import HANDLERS
from booking.domain.bookings import Booking, Guest, Preferences, Wants, Wish
from booking.domain.waitlist import Ask, EntryStatus, WaitlistTokenNotFound, contact_of
from booking.store import bookings as booking_store
from booking.tables import BLOCKS, BOOKING_CHANGES, BOOKINGS, GUESTS
from booking.usecases import bookings, links, privacy, waitlist
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import events_pb2, privacy_pb2
from servicekit import ids
from servicekit.errors import AppError
from servicekit.events import Event
from servicekit.identity import Caller
from servicekit.inbox import AlreadyHandled
from testkit import outbox
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.events import event_of
from testkit.privacy import PrivacyOffice, traces

from .conftest import House, Payments, call, open_house, refusal
from .line import ask_of

NAME, PHONE = "Zephyrine Quillfeather", "+33698765432"
NOTE, WISH, REASON = "the corner where he proposed", "no shellfish, ever", "my grandmother is ill"
EMAIL = "Zephyrine@guest.example"
PERSONAL = (NAME, EMAIL, PHONE, NOTE, WISH, REASON)


@dataclass
class Visitor:
    """Somebody who says much about themselves."""

    house: House
    guest: Guest = field(
        default_factory=lambda: Guest.meet(
            ids.new(),
            name=NAME,
            email=EMAIL,
            phone=PHONE,
            language="fr",
            preferences=Preferences(dietary=Wants(("vegan",), WISH), occasion=NOTE, marketing_consent=True),
        )
    )

    async def book(
        self, *, over: bool = True, email: str = EMAIL, phone: str = PHONE, by: Caller | None = None
    ) -> tuple[Booking, str]:
        """Books, and lets the visit be over unless told otherwise. Also answers the secret of the link."""
        guest = replace(self.guest, id=ids.new(), email=email, phone=phone)
        wish = Wish.of(
            guest,
            offering_id=self.house.offering.id,
            start=self.house.start(),
            party_size=2,
            notes=NOTE,
        )
        made = await bookings.create_booking(self.house.app, self.house.ref, wish, caller=by or anonymous())
        if over:
            await self.pass_by(made.booking.id)
        return made.booking, made.manage_token

    async def pass_by(self, booking_id: UUID) -> None:
        """The visit was yesterday; staff wrote why it was called off."""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        async with self.house.app.db.begin(self.house.organization) as tx:
            await tx.execute(sa.text("DELETE FROM allocations WHERE booking_id = :id"), {"id": booking_id})
            await tx.execute(
                sa.update(BOOKINGS)
                .where(BOOKINGS.c.id == booking_id)
                .values(start_at=yesterday, end_at=yesterday + timedelta(hours=2), reason=REASON)
            )
            await tx.execute(
                sa.update(BOOKING_CHANGES)
                .where(BOOKING_CHANGES.c.booking_id == booking_id)
                .values(reason=REASON)
            )


@pytest.fixture
def visitor(house: House) -> Visitor:
    return Visitor(house)


def asked(message: type[Message], house: House, request_id: UUID, user: UUID | None = None) -> Event:
    """Auth has taken in a request."""
    about = message(request_id=ids.show("prq", request_id), user_id=ids.show("usr", user) if user else "")  # type: ignore[call-arg]
    return event_of(about, None if user else house.organization)


async def handle(house: House, event: Event) -> None:
    await HANDLERS[type(event.message)](house.app, event)


async def receipts(house: House) -> Sequence[Message]:
    told = await outbox.published(house.app.db)
    return [
        each
        for each in told
        if isinstance(each, events_pb2.PersonalDataErased | events_pb2.PersonalDataExported)
    ]


async def test_whoever_is_erased_stands_in_no_column_of_any_table(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice
) -> None:
    booking, _ = await visitor.book()
    await waitlist.join_waitlist(house.app, house.ref, await _wish(house, visitor))
    assert {each.partition(" in ")[0] for each in await traces(house.app.db, PERSONAL)} == set(PERSONAL)
    contact = contact_of(EMAIL).hex()
    assert await traces(house.app.db, [contact]) == {f"{contact} in waitlist_entries.contact"}
    request_id = privacy_office.file(email=EMAIL.lower())
    await handle(house, asked(auth_events.ErasureRequested, house, request_id))
    assert await traces(house.app.db, PERSONAL) == set()
    assert await traces(house.app.db, [contact]) == set()
    (receipt,) = await receipts(house)
    assert receipt.booking_ids == [ids.show("bkg", booking.id)]  # type: ignore[attr-defined]
    counted = {each.table: each.rows for each in receipt.erased}  # type: ignore[attr-defined]
    assert counted == {
        "guests": 2, "bookings": 1, "booking_changes": 1, "series": 0,
        "waitlist_entries": 1, "manage_tokens": 1, "waitlist_tokens": 1,
    }  # fmt: skip
    kept = await house.read(booking.id)
    assert (kept.party_size, kept.guest.name) == (2, "")


async def test_links_end_and_who_waits_waits_no_more(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice
) -> None:
    _, token = await visitor.book()
    seen, entry_token = await waitlist.join_waitlist(house.app, house.ref, await _wish(house, visitor))
    await handle(
        house, asked(auth_events.ErasureRequested, house, privacy_office.file(phone=PHONE, name=NAME))
    )
    with pytest.raises(AppError) as refused:
        await links.resolve_manage_token(house.app, token)
    assert refused.value.reason == "MANAGE_TOKEN_NOT_FOUND"
    # The entry was found by the address alone: whoever waits gave no number.
    assert (await waitlist.get_entry(house.app, house.organization, seen.entry.id)).entry.live
    await handle(house, asked(auth_events.ErasureRequested, house, privacy_office.file(email=EMAIL)))
    with pytest.raises(WaitlistTokenNotFound):
        await waitlist.open_link(house.app, entry_token)
    entry = (await waitlist.get_entry(house.app, house.organization, seen.entry.id)).entry
    assert entry.status is EntryStatus.WITHDRAWN


async def test_the_same_request_delivered_again_changes_nothing_and_says_nothing_more(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice
) -> None:
    await visitor.book()
    event = asked(auth_events.ErasureRequested, house, privacy_office.file(email=EMAIL))
    await handle(house, event)
    await visitor.book(over=False)  # new data: somebody books again
    with pytest.raises(AlreadyHandled):
        await handle(house, event)
    assert await traces(house.app.db, [NAME]) == {f"{NAME} in guests.name"}
    assert len(await receipts(house)) == 1


async def test_a_booking_that_came_after_the_request_stays_as_it_is(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice
) -> None:
    old, _ = await visitor.book()
    new, token = await visitor.book(over=False)
    await handle(house, asked(auth_events.ErasureRequested, house, privacy_office.file(email=EMAIL)))
    assert (await house.read(old.id)).guest.name == ""
    assert (await house.read(new.id)).guest.name == NAME
    assert (await links.resolve_manage_token(house.app, token))[1].id == new.id
    (receipt,) = await receipts(house)
    assert receipt.booking_ids == [ids.show("bkg", old.id)]  # type: ignore[attr-defined]


async def test_a_change_that_is_under_way_is_waited_for_and_its_reason_goes_too(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice
) -> None:
    booking, _ = await visitor.book()
    plain = {"notes": "", "reason": ""}
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == booking.id).values(plain))
        await tx.execute(sa.update(BOOKING_CHANGES).values(reason=""))
    asking = asked(auth_events.ErasureRequested, house, privacy_office.file(email=EMAIL))
    async with house.app.db.begin(house.organization) as tx:
        await booking_store.lock_booking(tx, booking.id)
        erasing = asyncio.create_task(handle(house, asking))
        await asyncio.wait([erasing], timeout=0.5)
        late = {"organization_id": house.organization, "booking_id": booking.id, "version": 9}
        said = {"kind": "cancelled", "actor": "guest", "reason": REASON, "start_at": tx.now}
        await tx.execute(sa.insert(BOOKING_CHANGES), late | said)
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == booking.id).values(reason=REASON))
    await erasing
    assert await traces(house.app.db, PERSONAL) == set()


async def test_others_keep_what_is_theirs(
    house: House, visitor: Visitor, payments: Payments, privacy_office: PrivacyOffice
) -> None:
    await visitor.book()
    elsewhere = Visitor(await open_house(house.app, payments))
    await elsewhere.book()
    other, _ = await visitor.book(email="marcel@guest.example", phone="")
    await handle(house, asked(auth_events.ErasureRequested, house, privacy_office.file(email=EMAIL)))
    assert (await house.read(other.id)).guest.email == "marcel@guest.example"
    async with house.app.db.begin(elsewhere.house.organization) as tx:
        assert (await tx.execute(sa.select(GUESTS.c.email))).scalars().all() == [EMAIL]


@pytest.mark.parametrize("known", [True, False])
async def test_a_stranger_gets_a_receipt_as_well_and_an_ended_request_touches_nobody(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice, *, known: bool
) -> None:
    await visitor.book(email="", by=member(house.organization))
    request_id = privacy_office.file(email="nobody@guest.example") if known else ids.new()
    await handle(house, asked(auth_events.ErasureRequested, house, request_id))
    (receipt,) = await receipts(house)
    assert {each.rows for each in receipt.erased} == {0}  # type: ignore[attr-defined]
    assert await traces(house.app.db, [NAME]) == {f"{NAME} in guests.name"}


async def test_an_export_has_all_that_is_kept_and_what_follows_from_it(
    house: House, visitor: Visitor, privacy_office: PrivacyOffice
) -> None:
    staff = member(house.organization)
    booking, _ = await visitor.book(by=staff)
    await waitlist.join_waitlist(house.app, house.ref, await _wish(house, visitor))
    await visitor.book(email="marcel@guest.example", phone="")
    request_id = privacy_office.file(email=EMAIL)
    event = asked(auth_events.ExportRequested, house, request_id)
    await handle(house, event)
    with pytest.raises(AlreadyHandled):
        await handle(house, event)
    part = privacy_office.parts[ids.show("prq", request_id), "booking"].decode()
    assert all(each in part for each in (*PERSONAL, str(booking.id)))
    assert "marcel" not in part
    assert str(staff.user) not in part  # who of the staff it was, is not the guest's
    told = json.loads(part)
    assert told["bookings_by_outcome"] == [{"status": "confirmed", "bookings": 1}]
    assert {each: len(rows) for each, rows in told.items() if rows} == {
        "guests": 2, "bookings": 1, "booking_changes": 1, "waitlist_entries": 1, "bookings_by_outcome": 1,
    }  # fmt: skip
    (receipt,) = await receipts(house)
    assert receipt.booking_ids == [ids.show("bkg", booking.id)]  # type: ignore[attr-defined]


async def test_of_an_account_it_tells_what_the_member_did_and_forgets_nothing_but_the_meaning_of_an_id(
    house: House, privacy_office: PrivacyOffice
) -> None:
    staff = member(house.organization)
    assert staff.user is not None
    made = await house.book(caller=staff)
    block = {"id": ids.new(), "venue_id": house.venue_id, "resource_ids": [], "created_by": staff.user}
    block["created_at"] = datetime.now(UTC)
    at = {"start_at": datetime.now(UTC), "end_at": datetime.now(UTC) + timedelta(hours=1)}
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKING_CHANGES).values(reason=REASON))
        await tx.execute(
            sa.insert(BLOCKS), block | at | {"organization_id": house.organization, "reason": NOTE}
        )
    for message in (auth_events.ExportRequested, auth_events.ErasureRequested):
        await handle(house, asked(message, house, ids.new(), staff.user))
    (part,) = privacy_office.parts.values()
    told = json.loads(part)
    assert [each["booking_id"] for each in told["booking_changes"]] == [str(made.booking.id)]
    assert [each["id"] for each in told["blocks"]] == [str(block["id"])]
    # They may have left: what was written about guests and tables stays with the organization.
    assert REASON not in part.decode()
    assert NOTE not in part.decode()
    assert [each.user_id for each in await receipts(house)] == [ids.show("usr", staff.user)] * 2  # type: ignore[attr-defined]


async def test_auth_is_told_what_is_to_come_and_nobody_else_is(
    house: House, visitor: Visitor, edge: Edge
) -> None:
    over, _ = await visitor.book()
    coming, _ = await visitor.book(over=False)
    request = privacy_pb2.ListBookingsOfGuestRequest(email=EMAIL.upper())
    method = "GuestDirectoryService/ListBookingsOfGuest"
    known = await call(edge, method, request, caller=service("auth", house.organization))
    assert known.booking_ids == [ids.show("bkg", each.id) for each in (over, coming)]
    assert known.to_come_booking_ids == [ids.show("bkg", coming.id)]
    elsewhere = await call(edge, method, request, caller=service("auth", ids.new()))
    assert list(elsewhere.booking_ids) == []
    for caller in (service("support", house.organization), member(house.organization), anonymous()):
        assert (await refusal(edge, method, request, caller=caller)).reason in {
            "PERMISSION_DENIED", "UNAUTHENTICATED",
        }  # fmt: skip


async def test_what_is_kept_is_classified_by_the_address_however_it_is_written(
    house: House, visitor: Visitor
) -> None:
    booking, _ = await visitor.book()
    for email in (EMAIL, EMAIL.lower(), f" {EMAIL.upper()} "):
        known = await privacy.list_bookings_of_guest(house.app, house.organization, email=email, phone="")
        assert known.bookings == (booking.id,)


async def _wish(house: House, visitor: Visitor) -> Ask:
    """What the visitor waits for: a table for four on an evening that has none left."""
    for _ in range(2):
        await house.book(4)
    ask = ask_of(house, party_size=4)
    return replace(ask, guest=replace(visitor.guest, id=ids.new(), phone=""), notes=NOTE)
