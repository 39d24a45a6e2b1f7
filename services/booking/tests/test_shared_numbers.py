"""People who share a telephone number are exported and erased one by one, by the names that they book by."""

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.domain.bookings import Booking
from booking.domain.numbers import names_of, of_name
from booking.tables import GUESTS
from booking.usecases import privacy
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import privacy_pb2
from servicekit import ids
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.privacy import PrivacyOffice

from .conftest import House, call, refusal
from .test_privacy import PHONE, Visitor, asked, handle, receipts

ZOE, MARCEL = "Zoé Martin", "Marcel Martin"


async def book(house: House, name: str, *, over: bool = True) -> Booking:
    """A booking by a name, with the number of the family."""
    visitor = Visitor(house)
    visitor.guest = replace(visitor.guest, name=name)
    booking, _ = await visitor.book(over=over, email=f"{ids.new().hex}@guest.example")
    return booking


async def take_name(house: House, guest: UUID) -> None:
    """As if staff had written down no name."""
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(GUESTS).where(GUESTS.c.id == guest).values(name=""))


async def names(house: House, bookings: Sequence[Booking]) -> list[str]:
    return [(await house.read(each.id)).guest.name for each in bookings]


async def test_an_erasure_leaves_others_with_the_same_number_alone(
    house: House, privacy_office: PrivacyOffice
) -> None:
    mine = [await book(house, ZOE), await book(house, "ZOE\u0301   martin")]
    theirs = [await book(house, MARCEL), await book(house, "Zoe Martin")]
    request = privacy_office.file(phone=PHONE, name="zoé martin")
    await handle(house, asked(auth_events.ErasureRequested, house, request))
    assert await names(house, mine) == ["", ""]
    assert await names(house, theirs) == [MARCEL, "Zoe Martin"]
    (receipt,) = await receipts(house)
    told = receipt.booking_ids  # type: ignore[attr-defined]
    assert sorted(told) == sorted(ids.show("bkg", each.id) for each in mine)


async def test_an_export_holds_nothing_of_others_with_the_same_number(
    house: House, privacy_office: PrivacyOffice
) -> None:
    mine, theirs = await book(house, ZOE), await book(house, MARCEL)
    request = privacy_office.file(phone=PHONE, name="zoé martin")
    await handle(house, asked(auth_events.ExportRequested, house, request))
    document = json.loads(privacy_office.parts[ids.show("prq", request), "booking"])
    assert [each["id"] for each in document["bookings"]] == [str(mine.id)]
    assert str(theirs.id) not in json.dumps(document)
    assert MARCEL not in json.dumps(document)


async def test_a_number_alone_names_nobody(house: House, privacy_office: PrivacyOffice) -> None:
    booking = await book(house, ZOE)
    await handle(house, asked(auth_events.ErasureRequested, house, privacy_office.file(phone=PHONE)))
    assert await names(house, [booking]) == [ZOE]


@pytest.mark.parametrize("shared", [False, True])
async def test_bookings_without_a_name_go_along_unless_somebody_else_has_the_number(
    house: House, privacy_office: PrivacyOffice, *, shared: bool
) -> None:
    nameless = await book(house, ZOE)
    await take_name(house, nameless.guest.id)
    await book(house, MARCEL if shared else ZOE)
    request = privacy_office.file(phone=PHONE, name="zoé martin")
    await handle(house, asked(auth_events.ErasureRequested, house, request))
    (receipt,) = await receipts(house)
    told = receipt.booking_ids  # type: ignore[attr-defined]
    assert (ids.show("bkg", nameless.id) in told) is not shared


async def test_only_the_bookings_to_come_of_who_asks_are_in_the_way(house: House) -> None:
    await book(house, ZOE)
    coming = await book(house, MARCEL, over=False)
    for name, found in ((ZOE, ()), (MARCEL, (coming.id,))):
        known = await privacy.list_bookings_of_guest(
            house.app, house.organization, email="", phone=PHONE, name=name
        )
        assert known.to_come == found


async def test_auth_is_told_the_names_of_a_number_and_nobody_else_is(house: House, edge: Edge) -> None:
    for name in (ZOE, "zoé martin", ZOE, MARCEL):
        await book(house, name)
    request = privacy_pb2.ListNamesOfNumberRequest(phone=PHONE)
    method = "GuestDirectoryService/ListNamesOfNumber"
    found = await call(edge, method, request, caller=service("auth", house.organization))
    assert [(each.name, each.bookings) for each in found.names] == [(ZOE, 3), (MARCEL, 1)]
    elsewhere = await call(edge, method, request, caller=service("auth", ids.new()))
    assert list(elsewhere.names) == []
    for caller in (service("support", house.organization), member(house.organization), anonymous()):
        assert (await refusal(edge, method, request, caller=caller)).reason in {
            "PERMISSION_DENIED", "UNAUTHENTICATED",
        }  # fmt: skip


def test_names_are_compared_without_case_spacing_and_spelling_of_characters() -> None:
    called = {1: "Zoé  Martin", 2: "ZOE\u0301 MARTIN", 3: "Zoe Martin", 4: "", 5: "Straße", 6: "STRASSE"}
    assert of_name(called, " zoé martin") == [1, 2]
    assert of_name(called, "strasse") == [5, 6]
    assert of_name({1: "Zoé", 2: ""}, "zoé") == [1, 2]
    assert of_name({1: "Zoé", 2: ""}, "marcel") == []
    assert names_of({"Zoé": 2, "ZOÉ": 1, "": 1, "Marcel": 5}) == [("Marcel", 5), ("Zoé", 3), ("", 1)]
    assert len(names_of({f"Guest {number}": 1 for number in range(150)})) == 100
