"""The edge: who may read numbers, which days there are, and what a caller sees."""

from uuid import UUID

import pytest

from analytics.servicer import servicers
from comptoir.analytics.v1 import overview_pb2, overview_pb2_grpc
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller
from testkit.callers import anonymous, member
from testkit.edge import Edge
from testkit.foreign_ids import compare
from testkit.plugin import StartEdge
from testkit.statements import costs_the_same

from .conftest import EVERY_DAY, Counter, House, at, paid, refunded

STUB = overview_pb2_grpc.AnalyticsServiceStub


@pytest.fixture
async def edge(counter: Counter, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("analytics", servicers(counter.app))


async def _read(edge: Edge, venue: str, caller: Caller, day: str = "") -> overview_pb2.GetOverviewResponse:
    request = overview_pb2.GetOverviewRequest(venue_id=venue, date=day)
    answer = await edge.call(STUB, "GetOverview", request, caller=caller)
    assert isinstance(answer, overview_pb2.GetOverviewResponse)
    return answer


async def _refusal(edge: Edge, venue: str, caller: Caller, day: str = "") -> AppError:
    with pytest.raises(AppError) as refusal:
        await _read(edge, venue, caller, day)
    return refusal.value


async def test_an_owner_reads_the_numbers_of_a_day(edge: Edge, counter: Counter, house: House) -> None:
    table, booking, payment = ids.new(), ids.new(), ids.new()
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    equipped = house.equipped(1, {table: 4}, (EVERY_DAY, "19:00", "23:00"))
    await counter.tell(house, equipped, at("2027-01-01 12:01"))
    confirmed = house.booking(
        events_pb2.BookingConfirmed,
        booking,
        version=1,
        start=at("2027-01-05 18:00"),
        end=at("2027-01-05 20:00"),
        party=3,
        resources=(table,),
    )
    await counter.tell(house, confirmed, at("2027-01-05 09:00"))
    await counter.tell(house, paid(payment, booking, 3_000), at("2027-01-05 09:01"))
    await counter.tell(house, refunded(payment, booking, 1_000), at("2027-01-05 09:02"))
    answer = await _read(edge, ids.show("ven", house.venue), member(house.organization), "2027-01-05")
    assert (answer.date, answer.time_zone) == ("2027-01-05", "Europe/Paris")
    assert answer.service == overview_pb2.ServiceFigures(bookings=1, covers=3, occupancy_basis_points=5_000)
    assert (answer.activity.bookings, answer.activity.covers, answer.activity.cancellations) == (1, 3, 0)
    assert (answer.activity.deposits.amount, answer.activity.deposits.currency) == (3_000, "EUR")
    assert (answer.activity.refunds.amount, answer.activity.refunds.currency) == (1_000, "EUR")
    assert answer.as_of.ToJsonString() == "2027-01-05T09:02:00Z"


async def test_without_a_date_it_is_today(edge: Edge, counter: Counter, house: House) -> None:
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    answer = await _read(edge, ids.show("ven", house.venue), member(house.organization, "viewer"))
    assert len(answer.date) == len("2027-01-01")


@pytest.mark.parametrize("text", [ids.show("ven", UUID(int=1)), "ven_1", "chez-paulette", "\x00"])
async def test_an_unknown_venue_is_not_found(edge: Edge, text: str) -> None:
    refusal = await _refusal(edge, text, member(ids.new()))
    assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "VENUE_NOT_FOUND")


async def test_another_organization_s_venue_is_not_found(edge: Edge, counter: Counter, house: House) -> None:
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    stranger = member(ids.new())

    async def ask(venue: str) -> None:
        refusal = await _refusal(edge, venue, stranger)
        assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "VENUE_NOT_FOUND")

    foreign, random = ids.show("ven", house.venue), ids.show("ven", ids.new())
    assert await costs_the_same(counter.app.db, ask, foreign, random)


async def test_ids_of_others_cost_what_random_ones_cost(edge: Edge, counter: Counter, house: House) -> None:
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    theirs = {"venue_id": ids.show("ven", house.venue)}
    compared = await compare(edge, counter.app.db, member(ids.new()), theirs, valid={})
    assert {each.method for each in compared} == {"GetOverview"}
    assert all(each.same_answer and each.same_work and each.looked for each in compared)


@pytest.mark.parametrize(
    "day", ["2027-02-30", "2027-13-01", "0000-01-01", "0001-01-01", "1970-12-31", "9000-01-01", "today"]
)
async def test_what_is_no_day_is_refused(edge: Edge, counter: Counter, house: House, day: str) -> None:
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    refusal = await _refusal(edge, ids.show("ven", house.venue), member(house.organization), day)
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "INVALID_REQUEST")
    assert [violation.pointer for violation in refusal.violations] == ["/date"]


@pytest.mark.parametrize("day", ["1971-01-01", "8999-12-31"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_the_first_and_the_last_day_have_numbers_in_every_zone(
    edge: Edge, counter: Counter, house: House, day: str, zone: str
) -> None:
    await counter.tell(house, house.opened(zone), at("2027-01-01 12:00"))
    answer = await _read(edge, ids.show("ven", house.venue), member(house.organization), day)
    assert answer.date == day


async def test_a_role_without_the_permission_is_denied(edge: Edge, house: House) -> None:
    refusal = await _refusal(edge, ids.show("ven", house.venue), member(house.organization, "dishwasher"))
    assert (refusal.kind, refusal.reason) == (Kind.DENIED, "PERMISSION_DENIED")


async def test_nobody_in_particular_reads_no_numbers(edge: Edge, house: House) -> None:
    refusal = await _refusal(edge, ids.show("ven", house.venue), anonymous())
    assert (refusal.kind, refusal.reason) == (Kind.UNAUTHENTICATED, "UNAUTHENTICATED")
