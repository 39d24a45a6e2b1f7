"""Whose an Idempotency-Key is, behind the real guard: nobody else gets or blocks what is made with it."""

from typing import Any

from booking.servicer import servicers
from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import venue_pb2
from servicekit import ids
from servicekit.rpc.metadata import IDEMPOTENCY_REPLAYED
from testkit.callers import anonymous, integration, member
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .asking import branch
from .conftest import House, call, refusal, start_of
from .test_servicer import wish

BOOK = "BookingService/CreateBooking"


async def book(edge: Edge, request: pb.CreateBookingRequest, **how: Any) -> tuple[Any, bool]:
    """What was answered with the key "order-1", and whether it was answered before."""
    told: dict[str, str] = {}
    made = await call(edge, BOOK, request, idempotency_key="order-1", told=told, **how)
    return made, told.get(IDEMPOTENCY_REPLAYED) == "true"


async def test_a_booking_by_a_key_is_answered_to_its_own_caller_alone(edge: Edge, house: House) -> None:
    first, second = integration(house.organization), integration(house.organization)
    callers = (first, second, anonymous())  # one for each table
    made = [await book(edge, wish(house), caller=each) for each in callers]
    assert not any(replayed for _, replayed in made)
    assert len({answer.booking.id for answer, _ in made}) == len(callers)
    for caller, (answer, _) in zip(callers, made, strict=True):
        assert await book(edge, wish(house), caller=caller) == (answer, True)
        reused = await refusal(edge, BOOK, wish(house, 3), caller=caller, idempotency_key="order-1")
        assert reused.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_nobody_takes_a_key_away_from_an_integration(edge: Edge, house: House) -> None:
    for squatter in (anonymous(), integration(house.organization), member(house.organization)):
        await book(edge, wish(house), caller=squatter)
    made, replayed = await book(
        edge, wish(house, start=start_of(house, 21)), caller=integration(house.organization)
    )
    assert (made.booking.start.epoch_seconds, replayed) == (house.start(21), False)


async def test_strangers_at_two_venues_may_think_of_one_key(edge: Edge, house: House) -> None:
    other = await branch(house, "Chez Odette")
    here, _ = await book(edge, wish(house))
    there, replayed = await book(edge, wish(other))
    assert (there.booking.venue_id, replayed) == (ids.show("ven", other.venue_id), False)
    assert here.booking.venue_id == ids.show("ven", house.venue_id)


async def test_what_a_key_is_tied_to_is_its_caller_s_own_without_a_kept_answer(
    house: House, rpc_edge: StartEdge
) -> None:
    """An edge that keeps no answers has nothing but the key in the transaction of the effect."""
    edge = await rpc_edge("booking", servicers(house.app))
    venue = ids.show("ven", house.venue_id)
    first, second = integration(house.organization), integration(house.organization)

    async def make(name: str, caller: Any) -> Any:
        request = venue_pb2.CreateAreaRequest(venue_id=venue, name=name)
        return (await call(edge, "VenueService/CreateArea", request, caller=caller, idempotency_key="k")).area

    attic, cellar = await make("Attic", first), await make("Cellar", second)
    assert attic.id != cellar.id
    assert await make("Attic", first) == attic
    assert await make("Cellar", second) == cellar
    booked, again, foreign = [
        (await call(edge, BOOK, wish(house), caller=each, idempotency_key="k")).booking.id
        for each in (first, first, anonymous())
    ]
    assert booked == again != foreign
