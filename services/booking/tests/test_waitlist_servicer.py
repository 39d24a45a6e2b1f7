"""The waitlist's edge behind the real guard: messages, refusals, and whom it lets in."""

from typing import Any

import pytest

from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import waitlist_pb2
from servicekit import ids
from servicekit.errors import Kind
from testkit.callers import anonymous, member, service
from testkit.edge import Edge

from .conftest import House, call, refusal
from .line import Line, cancel

_GUESTS = ("GetWaitlistEntry", "AcceptWaitlistOffer", "DeclineWaitlistOffer", "WithdrawWaitlistEntry")


def wish(
    house: House, name: str = "anna", party_size: int = 10, **more: Any
) -> waitlist_pb2.JoinWaitlistRequest:
    values: dict[str, Any] = {
        "venue_id": ids.show("ven", house.venue_id),
        "offering_id": ids.show("off", house.offering.id),
        "party_size": party_size,
        "date": house.day().isoformat(),
        "earliest": "19:00",
        "latest": "19:00",
        "guest": pb.Guest(
            name=name,
            email=f"{name}@example.org",
            language="fr",
            dietary=pb.Wants(words=["vegan"]),
            marketing_consent=True,
        ),
        "notes": "By the window",
    }
    return waitlist_pb2.JoinWaitlistRequest(**(values | more))


async def join(edge: Edge, house: House, name: str = "anna", **more: Any) -> Any:
    return await call(edge, "WaitlistService/JoinWaitlist", wish(house, name, **more))


async def of_guest(edge: Edge, method: str, token: str, **more: Any) -> Any:
    request = getattr(waitlist_pb2, f"{method}Request")(token=token, **more)
    return await call(edge, f"GuestWaitlistService/{method}", request)


async def free(house: House, booking: Any) -> None:
    await cancel(house, booking)
    await Line(house).sweep()


async def test_a_guest_waits_is_offered_a_place_and_accepts_it(edge: Edge, house: House) -> None:
    taken = (await house.book(10)).booking
    joined = await join(edge, house, flexible_days=0)
    entry = joined.entry
    assert entry.id.startswith("wle_")
    assert (entry.status, entry.position) == (waitlist_pb2.WAITLIST_STATUS_WAITING, 1)
    assert (entry.date, entry.earliest, entry.latest) == (house.day().isoformat(), "19:00", "19:00")
    assert (entry.guest.email, entry.notes, entry.time_zone) == (
        "anna@example.org",
        "By the window",
        "Europe/Paris",
    )
    assert list(entry.guest.dietary.words) == ["vegan"]
    assert entry.guest.marketing_consent
    assert not entry.HasField("offer")
    await free(house, taken)
    seen = await of_guest(edge, "GetWaitlistEntry", joined.waitlist_token)
    assert seen.venue.name == "Chez Paulette"
    assert seen.entry.status == waitlist_pb2.WAITLIST_STATUS_OFFERED
    offer = seen.entry.offer
    assert offer.start.epoch_seconds == house.start()
    assert offer.expires_at.epoch_seconds < offer.start.epoch_seconds < offer.end.epoch_seconds
    assert offer.deposit.amount == 10_000
    accepted = await of_guest(edge, "AcceptWaitlistOffer", joined.waitlist_token)
    assert (accepted.booking.id, accepted.booking.status) == (offer.booking_id, pb.BOOKING_STATUS_HELD)
    assert accepted.deposit_payment.client_secret
    assert accepted.manage_token not in ("", joined.waitlist_token)
    after = (await of_guest(edge, "GetWaitlistEntry", joined.waitlist_token)).entry
    assert (after.status, after.booking_id) == (waitlist_pb2.WAITLIST_STATUS_ACCEPTED, offer.booking_id)


async def test_a_guest_declines_and_stays_or_leaves(edge: Edge, house: House) -> None:
    taken = (await house.book(10)).booking
    await house.book(10, house.start(21, 30))
    joined = await join(edge, house, earliest="", latest="")
    await free(house, taken)
    token = joined.waitlist_token
    kept = (await of_guest(edge, "DeclineWaitlistOffer", token, keep=True)).entry
    assert (kept.status, kept.position) == (waitlist_pb2.WAITLIST_STATUS_WAITING, 1)
    assert (kept.earliest, kept.latest) == ("", "")
    gone = await refusal(
        edge,
        "GuestWaitlistService/AcceptWaitlistOffer",
        waitlist_pb2.AcceptWaitlistOfferRequest(token=token),
    )
    assert (gone.reason, gone.kind) == ("WAITLIST_OFFER_GONE", Kind.REFUSED)
    left = (await of_guest(edge, "WithdrawWaitlistEntry", token)).entry
    assert left.status == waitlist_pb2.WAITLIST_STATUS_WITHDRAWN


async def test_staff_see_the_line_offer_out_of_turn_and_remove(edge: Edge, house: House) -> None:
    taken = (await house.book(10)).booking
    for name in ("anna", "ben", "carl"):
        await join(edge, house, name)
    host = member(house.organization, "host")
    listing = {"venue_id": ids.show("ven", house.venue_id), "date": house.day().isoformat(), "page_size": 2}
    first = await call(
        edge, "WaitlistService/ListWaitlist", waitlist_pb2.ListWaitlistRequest(**listing), caller=host
    )
    assert [(each.guest.name, each.position) for each in first.items] == [("anna", 1), ("ben", 2)]
    more = waitlist_pb2.ListWaitlistRequest(**listing, page_token=first.next_page_token)
    second = await call(edge, "WaitlistService/ListWaitlist", more, caller=host)
    assert [each.guest.name for each in second.items] == ["carl"]
    assert second.next_page_token == ""
    other_list = waitlist_pb2.ListWaitlistRequest(
        **(listing | {"date": house.day(8).isoformat()}), page_token=first.next_page_token
    )
    refused = await refusal(edge, "WaitlistService/ListWaitlist", other_list, caller=host)
    assert refused.reason == "INVALID_PAGE_TOKEN"
    entries = [each.id for each in (*first.items, *second.items)]
    remove = waitlist_pb2.RemoveWaitlistEntryRequest(entry_id=entries[0])
    removed = await call(edge, "WaitlistService/RemoveWaitlistEntry", remove, caller=host)
    assert removed.entry.status == waitlist_pb2.WAITLIST_STATUS_REMOVED
    offer = waitlist_pb2.OfferWaitlistPlaceRequest(entry_id=entries[2])
    full = await refusal(edge, "WaitlistService/OfferWaitlistPlace", offer, caller=host)
    assert full.reason == "SLOT_TAKEN"
    await cancel(house, taken)
    offered = await call(edge, "WaitlistService/OfferWaitlistPlace", offer, caller=host)
    assert offered.entry.offer.start.epoch_seconds == house.start()
    assert offered.entry.position == 0


async def test_what_can_be_booked_is_refused_with_the_start_to_book(edge: Edge, house: House) -> None:
    refused = await refusal(edge, "WaitlistService/JoinWaitlist", wish(house))
    assert (refused.reason, refused.kind) == ("SLOT_AVAILABLE", Kind.REFUSED)
    assert refused.metadata["start"].startswith(f"{house.day().isoformat()}T19:00:00+0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"party_size": 0},
        {"flexible_days": 8},
        {"earliest": "25:00"},
        {"latest": "7pm"},
        {"date": "2027-02-30"},
        {"guest": None},
        {"guest": pb.Guest(name="anna", email="no address")},
        {"notes": "x" * 1001},
    ],
)
async def test_malformed_wishes_are_refused(edge: Edge, house: House, wrong: dict[str, Any]) -> None:
    refused = await refusal(edge, "WaitlistService/JoinWaitlist", wish(house, **wrong))
    assert refused.reason == "INVALID_REQUEST"


@pytest.mark.parametrize("method", _GUESTS)
@pytest.mark.parametrize("token", ["guess", "\x00", "é" * 40])
async def test_a_link_that_is_none_opens_nothing(edge: Edge, house: House, method: str, token: str) -> None:
    request = getattr(waitlist_pb2, f"{method}Request")(token=token)
    refused = await refusal(edge, f"GuestWaitlistService/{method}", request)
    assert refused.reason == "WAITLIST_TOKEN_NOT_FOUND"


async def test_the_link_of_a_booking_opens_no_entry_and_the_other_way_round(edge: Edge, house: House) -> None:
    made = await house.book(10)
    joined = await join(edge, house)
    for name, request in (
        (
            "GuestWaitlistService/GetWaitlistEntry",
            waitlist_pb2.GetWaitlistEntryRequest(token=made.manage_token),
        ),
        (
            "GuestBookingService/GetManagedBooking",
            pb.GetManagedBookingRequest(token=joined.waitlist_token),
        ),
    ):
        assert (await refusal(edge, name, request)).kind is Kind.NOT_FOUND


async def test_only_notification_is_told_everything_about_an_entry(edge: Edge, house: House) -> None:
    await house.book(10)
    joined = await join(edge, house)
    name = "WaitlistDirectoryService/DescribeWaitlistEntry"
    request = waitlist_pb2.DescribeWaitlistEntryRequest(entry_id=joined.entry.id, issue_waitlist_token=True)
    told = await call(edge, name, request, caller=service("notification", house.organization))
    assert (told.entry.guest.email, told.offering_name, told.venue.name) == (
        "anna@example.org",
        "Dinner",
        "Chez Paulette",
    )
    seen = await of_guest(edge, "GetWaitlistEntry", told.waitlist_token)
    assert seen.entry.id == joined.entry.id
    strangers = {
        service("notification", ids.new()): "WAITLIST_ENTRY_NOT_FOUND",
        service("support", house.organization): "PERMISSION_DENIED",
        anonymous(): "UNAUTHENTICATED",
        member(house.organization): "UNAUTHENTICATED",
    }
    for caller, reason in strangers.items():
        assert (await refusal(edge, name, request, caller=caller)).reason == reason
