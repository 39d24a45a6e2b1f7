"""Links of repeated answers: the newest few, whatever is repeated, and never at the cost of another link."""

import asyncio
from collections import Counter

import pytest
import sqlalchemy as sa

from booking.domain.bookings import ManageTokenNotFound
from booking.tables import MANAGE_TOKENS
from booking.usecases import links

from .conftest import House


async def test_repeated_answers_keep_their_newest_five_links_and_harm_no_other(house: House) -> None:
    first = await house.book(key="one")
    described = await links.describe_booking(
        house.app, house.organization, first.booking.id, issue_manage_token=True
    )
    again = [(await house.book(key="one")).manage_token for _ in range(8)]
    for lost in again[:3]:
        with pytest.raises(ManageTokenNotFound):
            await links.get_managed_booking(house.app, lost)
    for kept in (first.manage_token, described.manage_token, *again[3:]):
        assert (await links.get_managed_booking(house.app, kept)).booking.id == first.booking.id


async def test_many_repetitions_at_once_leave_five_links_more(house: House) -> None:
    other = await house.book(key="other")
    await house.book(key="other")
    first = await house.book(key="one")
    again = await asyncio.gather(*(house.book(key="one") for _ in range(12)))
    assert {each.booking.id for each in again} == {first.booking.id}
    async with house.app.db.begin(house.organization) as tx:
        found = Counter((await tx.execute(sa.select(MANAGE_TOKENS.c.booking_id))).scalars())
    assert found == {first.booking.id: 1 + 5, other.booking.id: 2}
