"""Whom the edge lets in: every RPC serves its own tenant and those who may, and nobody else."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message

from booking.domain.bookings import Actor, ActorKind
from booking.domain.closures import Closure
from booking.domain.terms import RequestRule, Terms
from booking.domain.venues import ResourceKind
from booking.usecases import blocks, closures, hours, pacing, venues, visits
from booking.usecases.blocks import Blocking
from booking.usecases.pacing import Limits
from comptoir.api.v1 import policy_pb2
from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import series_pb2, venue_pb2
from servicekit import contract, ids
from servicekit.contract import Rpc
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.paging import WHOLE
from testkit.statements import costs_the_same

from .conftest import House, call, refusal, start_of
from .line import Line, cancel
from .series import repeat

_RPCS = {path.split(".")[-1]: rpc for path, rpc in contract.rpcs().items() if rpc.service == "booking"}
_OF_REQUESTS = {"BookingService/ConfirmBooking", "BookingService/DeclineBooking"}
_OF_VISITS = {f"BookingService/{each}Booking" for each in ("Delay", "Arrive", "Seat", "Complete", "Miss")}
_OF_MEMBERS = [
    name for name, rpc in _RPCS.items() if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
]


def request_for(rpc: Rpc, house: House, booking_id: str, other_id: str) -> Any:
    """A valid request of any of the members' RPCs about the house."""
    venue, offering = ids.show("ven", house.venue_id), ids.show("off", house.offering.id)
    requests: dict[str, dict[str, Any]] = {
        "CreateVenue": {"name": "X", "slug": "new-slug", "time_zone": "Europe/Paris", "currency": "EUR"},
        "CreateArea": {"venue_id": venue, "name": "X"},
        "CreateResource": {"venue_id": venue, "name": "X", "kind": 1, "min_party": 1, "max_party": 2},
        "CreateCombination": {
            "venue_id": venue,
            "name": "X",
            "resource_ids": [ids.show("res", house.tables[each].id) for each in ("T1", "T2")],
            "min_party": 1,
            "max_party": 4,
        },
        "CreateOffering": {
            "venue_id": venue,
            "name": "X",
            "turn_times": [venue_pb2.TurnTime(max_party=2, minutes=60)],
        },
        "CreateShift": {
            "venue_id": venue,
            "offering_id": offering,
            "weekdays": [1],
            "opens": "10:00",
            "last_start": "10:30",
            "closes": "11:00",
        },
        "UpdateShift": {
            "venue_id": venue,
            "shift_id": other_id,
            "weekdays": [1],
            "opens": "10:00",
            "last_start": "10:30",
            "closes": "11:00",
        },
        "DeleteShift": {"venue_id": venue, "shift_id": other_id},
        "CreateDateException": {
            "venue_id": venue,
            "offering_id": offering,
            "service_date": house.day().isoformat(),
        },
        "UpdateDateException": {"venue_id": venue, "exception_id": other_id},
        "DeleteDateException": {"venue_id": venue, "exception_id": other_id},
        "CreateClosure": {"venue_id": venue, "first_date": "2027-01-01", "last_date": "2027-01-31"},
        "UpdateClosure": {
            "venue_id": venue,
            "closure_id": other_id,
            "first_date": "2027-01-01",
            "last_date": "2027-01-31",
        },
        "DeleteClosure": {"venue_id": venue, "closure_id": other_id},
        "UpdateOfferingTimes": {"venue_id": venue, "offering_id": offering},
        "UpdateOfferingTerms": {"venue_id": venue, "offering_id": offering, "name": "Theirs"},
        "DeleteOffering": {"venue_id": venue, "offering_id": other_id},
        "ListDateExceptions": {"venue_id": venue, "from": "2027-01-01", "to": "2027-01-31"},
        "ListClosures": {"venue_id": venue, "from": "2027-01-01", "to": "2027-01-31"},
        "ListStrandedBookings": {"venue_id": venue, "from": "2027-01-01", "to": "2027-01-31"},
        "UpdateResource": {
            "venue_id": venue,
            "resource_id": other_id,
            "name": "X",
            "min_party": 1,
            "max_party": 2,
        },
        "DeleteResource": {"venue_id": venue, "resource_id": other_id},
        "UpdateCombination": {
            "venue_id": venue,
            "combination_id": other_id,
            "name": "X",
            "resource_ids": [ids.show("res", house.tables[each].id) for each in ("T1", "T2")],
            "min_party": 1,
            "max_party": 4,
        },
        "DeleteCombination": {"venue_id": venue, "combination_id": other_id},
        "UpdateOfferingVisit": {
            "venue_id": venue,
            "offering_id": offering,
            "turn_times": [venue_pb2.TurnTime(max_party=2, minutes=60)],
        },
        "CreatePacingRule": {"venue_id": venue, "interval_minutes": 15, "max_covers": 10},
        "UpdatePacingRule": {
            "venue_id": venue,
            "rule_id": other_id,
            "interval_minutes": 15,
            "max_covers": 10,
        },
        "DeletePacingRule": {"venue_id": venue, "rule_id": other_id},
        "MoveBooking": {"booking_id": booking_id, "start": start_of(house, 21)},
        "AssignBooking": {
            "booking_id": booking_id,
            "resource_ids": [ids.show("res", house.tables["T4"].id)],
        },
        "SwapBookings": {"booking_id": booking_id, "other_booking_id": other_id},
        "CreateWalkIn": {"venue_id": venue, "offering_id": offering, "party_size": 2},
        "CreateBlock": {"venue_id": venue, "start": start_of(house, 9), "end": start_of(house, 10)},
        "ListBlocks": {"venue_id": venue, "from": "2027-01-01", "to": "2027-01-31"},
        "DeleteBlock": {"venue_id": venue, "block_id": other_id},
        "ListBookings": {"venue_id": venue, "date": house.day().isoformat()},
        "CreateSeries": {
            "venue_id": venue,
            "offering_id": offering,
            "rule": "FREQ=WEEKLY;COUNT=2",
            "first_start": f"{house.day(8)}T19:00",
            "party_size": 2,
            "guest": pb.Guest(name="X", email="x@example.org"),
        },
        "GetSeries": {"series_id": other_id},
        "ChangeSeries": {
            "series_id": other_id,
            "scope": series_pb2.SERIES_SCOPE_ALL,
            "local_time": "20:00",
        },
        "CancelSeries": {"series_id": other_id, "scope": series_pb2.SERIES_SCOPE_ALL},
        "ListVenues": {},
        "ListWaitlist": {"venue_id": venue, "date": house.day().isoformat()},
        "OfferWaitlistPlace": {"entry_id": other_id},
        "RemoveWaitlistEntry": {"entry_id": other_id},
    }
    about_booking = "booking_id" in rpc.method.input_type.fields_by_name
    usual = {"booking_id": booking_id} if about_booking else {"venue_id": venue}
    return rpc.request(**requests.get(rpc.method.name, usual))


async def part_of_floor(name: str, house: House) -> str:
    """What an RPC about capacity changes."""
    if "Combination" in name:
        return ids.show("cmb", house.combinations["T3+T4"].id)
    if "Resource" in name:
        spare = await venues.add_resource(
            house.app,
            house.organization,
            house.ref,
            name="Spare",
            kind=ResourceKind.TABLE,
            min_party=1,
            max_party=2,
            area_id=None,
        )
        return ids.show("res", spare.id)
    limits = Limits(None, 15, max_covers=10, max_parties=None, online_covers=None, online_parties=None)
    rule = (await pacing.create_rule(house.app, house.organization, house.ref, limits)).made
    return ids.show("pac", rule.id)


async def subject_of(name: str, house: House) -> tuple[str, str]:
    """A booking that takes the step of an RPC, and what else the RPC is about."""
    asking = await house.offer(Terms(requests=RequestRule(1))) if name in _OF_REQUESTS else house
    booking = (await asking.book()).booking
    other = ids.show("bkg", (await house.book()).booking.id)
    if name in _OF_VISITS:
        await house.begin(booking, minutes_ago=1)
    if name == "BookingService/CompleteBooking":
        await visits.arrive(house.app, house.organization, booking.id, actor=Actor(ActorKind.CLOCK))
    if name == "BlockService/DeleteBlock":
        blocking = Blocking((), None, house.start(9), house.start(10), "", strand=False)
        made = await blocks.create_block(
            house.app, house.organization, house.ref, blocking, actor=Actor(ActorKind.MEMBER)
        )
        other = ids.show("blk", made.block.id)
    if name == "VenueService/DeleteOffering":
        other = ids.show("off", (await house.offer(Terms())).offering.id)
    if name.startswith("HoursService/"):
        other = await part_of_hours(name, house)
    if name.startswith("CapacityService/"):
        other = await part_of_floor(name, house)
    if name.startswith("SeriesService/"):
        other = ids.show("ser", (await repeat(house)).series.id)
    if name.startswith("WaitlistService/"):
        line = Line(house)
        large = (await house.book(10)).booking
        waiting = (await line.wait("anna", 10)).entry
        await cancel(house, large)
        other = ids.show("wle", waiting.id)
    return ids.show("bkg", booking.id), other


async def part_of_hours(name: str, house: House) -> str:
    """The shift, date exception or closure that an RPC is about."""
    app, organization, ref = house.app, house.organization, house.ref
    if name.endswith("DateException") and not name.endswith("CreateDateException"):
        made = await hours.create_exception(
            app,
            organization,
            ref,
            offering_id=house.offering.id,
            service_date=house.day(),
            windows=(),
            reason="",
            note="",
        )
        return ids.show("dex", made.made.id)
    if name.endswith("Closure"):
        closure = Closure(ids.new(), (), house.day(), house.day())
        return ids.show("clo", (await closures.create_closure(app, organization, ref, closure)).made.id)
    (shift,) = (await venues.list_shifts(app, organization, ref, WHOLE))[0]
    return ids.show("shi", shift.id)


@pytest.mark.parametrize("name", _OF_MEMBERS)
async def test_every_rpc_of_members_serves_its_tenant_only_and_those_who_may(
    edge: Edge, house: House, name: str
) -> None:
    rpc = _RPCS[name]
    request = request_for(rpc, house, *await subject_of(name, house))
    stranger, nobody = member(ids.new()), member(house.organization, "nobody")
    assert (await refusal(edge, name, request, caller=nobody)).reason == "PERMISSION_DENIED"
    assert (await refusal(edge, name, request, caller=anonymous())).reason == "UNAUTHENTICATED"
    if name == "VenueService/ListVenues":
        assert list((await call(edge, name, request, caller=stranger)).items) == []
    elif name != "VenueService/CreateVenue":
        assert await does_the_work_of_a_random_id(edge, house, name, request, stranger)
    await call(edge, name, request, caller=member(house.organization))


async def does_the_work_of_a_random_id(
    edge: Edge, house: House, name: str, foreign: Message, stranger: Caller
) -> bool:
    """Whether time tells nothing, either: the same statements are sent, whatever machine they run on."""
    random = type(foreign)()
    random.CopyFrom(foreign)
    for field, value in foreign.ListFields():
        if field.name.endswith("_id"):
            setattr(random, field.name, ids.show(value.partition("_")[0], ids.new()))

    async def ask(request: Message) -> None:
        assert (await refusal(edge, name, request, caller=stranger)).kind is Kind.NOT_FOUND

    return await costs_the_same(house.app.db, ask, foreign, random)


def limited(house: House, *venues: UUID) -> Caller:
    """An owner, but for being limited to venues."""
    return replace(member(house.organization), venues=frozenset(venues))


def said(error: AppError) -> tuple[Kind, str, str]:
    return error.kind, error.reason, error.detail


@pytest.mark.parametrize("name", _OF_MEMBERS)
async def test_a_member_limited_to_venues_finds_theirs_and_of_others_nothing_that_a_random_id_does_not(
    edge: Edge, house: House, name: str
) -> None:
    rpc = _RPCS[name]
    booking, other = await subject_of(name, house)
    request = request_for(rpc, house, booking, other)
    here, elsewhere = limited(house, house.venue_id), limited(house, ids.new())
    if name == "VenueService/CreateVenue":
        assert (await refusal(edge, name, request, caller=here)).reason == "PERMISSION_DENIED"
        return
    if name == "VenueService/ListVenues":
        assert list((await call(edge, name, request, caller=elsewhere)).items) == []
        assert len((await call(edge, name, request, caller=here)).items) == 1
        return
    refused = await refusal(edge, name, request, caller=elsewhere)
    assert refused.kind is Kind.NOT_FOUND
    if rpc.policy and rpc.policy.venue_in_service:
        no_such = request_for(rpc, house, ids.show("bkg", ids.new()), ids.show(other[:3], ids.new()))
        assert said(refused) == said(await refusal(edge, name, no_such, caller=elsewhere))
    await call(edge, name, request, caller=here)


_NAMING_NO_THING = {
    "VenueService/CreateResource",
    "BlockService/CreateBlock",
    "CapacityService/CreatePacingRule",
}
"""What may name a thing of a venue beside it, and does not in these tests."""
_THINGS_OF_VENUES = [
    name
    for name in _OF_MEMBERS
    if name not in _NAMING_NO_THING
    and {"venue_id"}
    < {field for field in _RPCS[name].method.input_type.fields_by_name if field.endswith("_id")}
]


@pytest.mark.parametrize("name", _THINGS_OF_VENUES)
async def test_what_is_of_one_venue_is_not_found_through_another(edge: Edge, house: House, name: str) -> None:
    second = await venues.create_venue(
        house.app,
        house.organization,
        name="Y",
        slug="second",
        time_zone="Europe/Paris",
        currency="EUR",
        address="",
    )
    request = request_for(_RPCS[name], house, *await subject_of(name, house))
    things = [field.name for field, _ in request.ListFields() if field.name.endswith("_id")]
    assert things != ["venue_id"]
    request.venue_id = ids.show("ven", second.id)
    for caller in (limited(house, second.id), member(house.organization)):
        assert (await refusal(edge, name, request, caller=caller)).kind is Kind.NOT_FOUND


async def test_what_anybody_may_see_a_member_limited_to_venues_may_see_too(edge: Edge, house: House) -> None:
    request = venue_pb2.GetVenueRequest(venue_id=ids.show("ven", house.venue_id))
    shown = await call(edge, "VenueService/GetVenue", request, caller=limited(house, ids.new()))
    assert shown == await call(edge, "VenueService/GetVenue", request, caller=anonymous())


@pytest.mark.parametrize(
    ("method", "caller", "reason"),
    [
        ("DescribeBooking", service("gateway"), "PERMISSION_DENIED"),
        ("ResolveManageToken", service("payment"), "PERMISSION_DENIED"),
        ("ResolveManageToken", anonymous(), "UNAUTHENTICATED"),
        ("DescribeBooking", member(ids.new()), "UNAUTHENTICATED"),
        ("DescribeBooking", service("support", ids.new()), "BOOKING_NOT_FOUND"),
        ("DescribeBooking", service("support"), "UNAUTHENTICATED"),
    ],
)
async def test_the_directory_is_for_the_services_that_the_contract_names(
    edge: Edge, house: House, method: str, caller: Caller, reason: str
) -> None:
    made = await house.book()
    request = (
        pb.DescribeBookingRequest(booking_id=ids.show("bkg", made.booking.id))
        if method == "DescribeBooking"
        else pb.ResolveManageTokenRequest(token=made.manage_token)
    )
    refused = await refusal(edge, f"BookingDirectoryService/{method}", request, caller=caller)
    assert refused.reason == reason
