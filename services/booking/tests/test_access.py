"""Whom the edge lets in: every RPC serves its own tenant and those who may, and nobody else."""

from typing import Any

import pytest

from comptoir.api.v1 import policy_pb2
from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import venue_pb2
from servicekit import contract, ids
from servicekit.contract import Rpc
from servicekit.errors import Kind
from servicekit.identity import Caller
from testkit.callers import anonymous, member, service
from testkit.edge import Edge

from .conftest import House, call, refusal, start_of

_RPCS = {path.split(".")[-1]: rpc for path, rpc in contract.rpcs().items() if rpc.service == "booking"}
_OF_MEMBERS = [
    name for name, rpc in _RPCS.items() if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
]


def request_for(rpc: Rpc, house: House, booking_id: str) -> Any:
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
        "GetBooking": {"booking_id": booking_id},
        "CancelBooking": {"booking_id": booking_id},
        "MoveBooking": {"booking_id": booking_id, "start": start_of(house, 21)},
        "ListBookings": {"venue_id": venue, "date": house.day().isoformat()},
        "ListVenues": {},
    }
    fields = requests.get(rpc.method.name, {"venue_id": venue})
    return rpc.request(**fields)


@pytest.mark.parametrize("name", _OF_MEMBERS)
async def test_every_rpc_of_members_serves_its_tenant_only_and_those_who_may(
    edge: Edge, house: House, name: str
) -> None:
    rpc = _RPCS[name]
    made = await house.book()
    request = request_for(rpc, house, ids.show("bkg", made.booking.id))
    stranger, nobody = member(ids.new()), member(house.organization, "nobody")
    assert (await refusal(edge, name, request, caller=nobody)).reason == "PERMISSION_DENIED"
    assert (await refusal(edge, name, request, caller=anonymous())).reason == "UNAUTHENTICATED"
    if name == "VenueService/ListVenues":
        assert list((await call(edge, name, request, caller=stranger)).items) == []
    elif name != "VenueService/CreateVenue":
        assert (await refusal(edge, name, request, caller=stranger)).kind is Kind.NOT_FOUND
    await call(edge, name, request, caller=member(house.organization))


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
