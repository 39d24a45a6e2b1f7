"""What a party that has to ask first is shown, and that asking for what is shown works."""

from collections.abc import Mapping
from typing import Any

import pytest

from booking.domain.bookings import Status
from booking.domain.refusals import NoTableForParty, Refusal, SlotTaken
from booking.domain.terms import PartyAsksFirst, RequestRule, Terms
from booking.usecases import availability, links, pacing
from booking.usecases.changes import Move
from booking.usecases.pacing import Limits
from comptoir.booking.v1 import availability_pb2
from comptoir.booking.v1 import booking_pb2 as pb
from servicekit import ids
from testkit.callers import member
from testkit.edge import Edge

from .conftest import House, call, start_of
from .rooms import HALF_HOUR

ASKING = RequestRule(6, answer_hours=48)
KEEPING = RequestRule(6, answer_hours=48, holds_capacity=True)


async def shown(house: House, party: int, **how: Any) -> Mapping[int, tuple[Refusal | None, bool]]:
    """What becomes of each start, in half hours after 19:00, and whether it is asked for."""
    found = await availability.search_availability(
        house.app, house.ref, house.day(), party_size=party, offering_id=house.offering.id, **how
    )
    return {
        (slot.start - house.start()) // HALF_HOUR: (slot.refusal, slot.asks_first) for slot in found.slots
    }


async def test_what_is_larger_than_any_table_can_be_asked_for(house: House) -> None:
    asking = await house.offer(Terms(requests=ASKING))
    assert set((await shown(asking, 40)).values()) == {(None, True)}
    assert (await asking.book(40)).booking.status is Status.REQUESTED
    assert set((await shown(asking, 5)).values()) == {(None, False)}
    staff = member(house.organization)
    assert set((await shown(asking, 40, caller=staff)).values()) == {(Refusal.NO_TABLE_FOR_PARTY, False)}


async def test_what_is_taken_or_paced_can_be_asked_for_where_no_room_is_kept(house: House) -> None:
    asking = await house.offer(Terms(requests=ASKING))
    await pacing.create_rule(house.app, house.organization, house.ref, Limits(None, 15, None, 1, None, None))
    await house.book(4)
    await house.book(5, house.start(19, 15))
    assert (await shown(asking, 6))[0] == (None, True)
    assert (await asking.book(6)).booking.status is Status.REQUESTED


async def test_where_room_is_kept_a_request_needs_it_and_is_told_the_true_reason(house: House) -> None:
    keeping = await house.offer(Terms(requests=KEEPING))
    assert (await shown(keeping, 6))[0] == (None, True)
    assert (await keeping.book(6)).booking.live
    assert (await shown(keeping, 6))[0] == (Refusal.FULLY_BOOKED, True)
    with pytest.raises(SlotTaken):
        await keeping.book(6)
    assert set((await shown(keeping, 40)).values()) == {(Refusal.NO_TABLE_FOR_PARTY, True)}
    with pytest.raises(NoTableForParty):
        await keeping.book(40)


async def test_a_party_that_grows_by_link_beyond_every_table_is_told_to_ask(house: House) -> None:
    made = await (await house.offer(Terms(requests=ASKING))).book(2)
    with pytest.raises(PartyAsksFirst):
        await links.move_managed_booking(house.app, made.manage_token, Move(party_size=40))
    with pytest.raises(PartyAsksFirst):
        await links.move_managed_booking(house.app, made.manage_token, Move(house.start(20), party_size=40))


async def test_the_edge_says_who_asks_first(edge: Edge, house: House) -> None:
    asking = await house.offer(Terms(requests=ASKING))
    venue, offering = ids.show("ven", house.venue_id), ids.show("off", asking.offering.id)
    request = pb.SearchAvailabilityRequest(
        venue_id=venue, date=house.day().isoformat(), party_size=40, offering_id=offering
    )
    found = await call(edge, "AvailabilityService/SearchAvailability", request)
    assert {(slot.bookable, slot.asks_first) for slot in found.slots} == {(True, True)}
    wanted = availability_pb2.WantedStart(offering_id=offering, start=start_of(house), party_size=40)
    batch = availability_pb2.BatchLookupAvailabilityRequest(venue_id=venue, items=[wanted])
    (item,) = (await call(edge, "AvailabilityLookupService/BatchLookupAvailability", batch)).items
    assert (item.bookable, item.asks_first) == (True, True)
