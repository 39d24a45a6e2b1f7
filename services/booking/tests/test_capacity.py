"""Capacity that shrinks, on a real database: what it strands, and what cannot go."""

import pytest

from booking.domain.bookings import CancelledBy
from booking.domain.venues import (
    CombinationNotFound,
    ResourceInUse,
    ResourceNotFound,
)
from booking.usecases import (
    changes,
    floor,
    venues,
)

from .conftest import House
from .rooms import STAFF, furnish


async def test_capacity_that_shrinks_names_the_bookings_it_strands(house: House) -> None:
    small, large = (await house.book(2)).booking, (await house.book(10)).booking
    assert await furnish(house, "T1", in_service=False) == [small.id]
    assert await furnish(house, "T1", max_party=1) == [small.id]
    assert await furnish(house, "T1") == []
    changed = await floor.delete_combination(
        house.app, house.organization, house.ref, house.combinations["T3+T4"].id
    )
    assert changed.stranded == []  # staff may seat ten at tables for four and six
    assert await furnish(house, "T4", max_party=4) == [large.id]
    with pytest.raises(CombinationNotFound):
        await floor.delete_combination(
            house.app, house.organization, house.ref, house.combinations["T3+T4"].id
        )


async def test_a_resource_that_somebody_counts_on_stays(house: House) -> None:
    made = await house.book(2)
    for name, counted in (("T1", "booking_ids"), ("T3", "combination_ids")):
        with pytest.raises(ResourceInUse) as refused:
            await floor.delete_resource(house.app, house.organization, house.ref, house.tables[name].id)
        assert refused.value.metadata[counted]
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.VENUE, actor=STAFF
    )
    await floor.delete_resource(house.app, house.organization, house.ref, house.tables["T1"].id)
    with pytest.raises(ResourceNotFound):
        await floor.delete_resource(house.app, house.organization, house.ref, house.tables["T1"].id)
    listed = await venues.list_resources(house.app, house.organization, house.ref)
    assert {each.name for each in listed} == {"T2", "T3", "T4"}
