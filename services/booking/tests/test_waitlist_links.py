"""Whoever waits is sent the link again when somebody joins with the address and cannot show it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.tables import WAITLIST_ENTRIES
from booking.usecases import waitlist
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import AppError
from testkit import outbox

from .conftest import House, Payments
from .line import Line, ask_of, cancel, small_house


@pytest.fixture
async def line(app: App, payments: Payments) -> Line:
    return Line(await small_house(app, payments))


async def links_mailed(house: House) -> list[str]:
    """The entries whose link was mailed again, in order."""
    events = await outbox.published(house.app.db)
    return [each.entry_id for each in events if isinstance(each, events_pb2.WaitlistLinkRequested)]


async def test_the_address_that_waits_is_sent_its_link_once_an_hour_whoever_asks(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    mine = ids.show("wle", line.entries["anna"])
    for _ in range(3):
        await waitlist.join_waitlist(house.app, house.ref, ask_of(house, "anna"))
    assert await links_mailed(house) == [mine]
    before = (await line.see("anna")).entry
    assert before.version == 1
    for ago, mails in ((59, 1), (61, 2)):
        async with house.app.db.begin(house.organization) as tx:
            then = datetime.now(UTC) - timedelta(minutes=ago)
            await tx.execute(sa.update(WAITLIST_ENTRIES).values(link_mailed_at=then))
        await waitlist.join_waitlist(house.app, house.ref, ask_of(house, "anna"))
        assert await links_mailed(house) == [mine] * mails
    await line.wait("anna")  # by her link: she has it
    assert len(await links_mailed(house)) == 2


async def test_two_who_join_at_once_with_an_address_that_waits_send_it_one_link(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    joins = (waitlist.join_waitlist(house.app, house.ref, ask_of(house, "anna")) for _ in range(6))
    await asyncio.gather(*joins)
    assert await links_mailed(house) == [ids.show("wle", line.entries["anna"])]


async def test_the_same_key_sends_no_further_link_and_a_refused_wish_none(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    with pytest.raises(AppError):
        await line.join(ask_of(house, "anna", 7), proof="")  # no table for them
    assert await links_mailed(house) == []
    ask, key = ask_of(house, "anna"), f"key-{ids.new()}"
    for _ in range(2):
        await line.join(ask, key=key, proof="")
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(link_mailed_at=None))
    await line.join(ask, key=key, proof="")
    assert len(await links_mailed(house)) == 1


async def test_whoever_is_offered_a_place_has_its_mail_and_is_sent_no_further_link(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await cancel(house, made.booking)
    await line.sweep()
    await waitlist.join_waitlist(house.app, house.ref, ask_of(house, "anna"))
    assert await links_mailed(house) == []
