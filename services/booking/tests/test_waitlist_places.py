"""What who waits, and a series, asks of the place: that is offered and booked, and nothing less."""

from dataclasses import replace
from runpy import run_path
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Status
from booking.domain.refusals import NoTableAsAsked, Refusal
from booking.domain.series import SeriesConflicts
from booking.domain.waitlist import EntryStatus
from booking.store import waitlist as store
from booking.tables import WAITLIST_ENTRIES
from booking.usecases import links, venues
from booking.usecases.bookings import Made
from booking.usecases.links import Window
from comptoir.booking.v1 import booking_pb2, series_pb2, waitlist_pb2
from servicekit import ids
from testkit.callers import member
from testkit.databases import migrations_of
from testkit.edge import Edge

from .conftest import House, Payments, call, open_house
from .line import Line, ask_of, cancel
from .rooms import book, furnish, search
from .series import repeat, states

ACCESSIBLE = frozenset({"accessible"})


@pytest.fixture
async def house(app: App, payments: Payments) -> House:
    """T1 is accessible and T2 is not."""
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2)), joined=())
    await furnish(house, "T1", attributes=sorted(ACCESSIBLE))
    return house


async def fill(house: House) -> tuple[Made, Made]:
    """Two bookings of 19:00: who has the accessible table, and who the other."""
    accessible = await book(house, replace(house.wish(2), attributes=ACCESSIBLE))
    return accessible, await house.book(2)


async def test_who_needs_what_is_taken_waits_although_something_else_is_free(house: House) -> None:
    accessible, plain = await fill(house)
    await cancel(house, plain.booking)
    assert (await search(house, 2, attributes=ACCESSIBLE))[0] is Refusal.FULLY_BOOKED
    line = Line(house)
    await line.join(replace(ask_of(house, "anna"), attributes=ACCESSIBLE))
    await line.sweep()
    assert await line.status("anna") is EntryStatus.WAITING
    assert (await line.see("anna")).entry.ask.attributes == ACCESSIBLE
    await cancel(house, accessible.booking)
    await line.sweep()
    held = await line.offered("anna")
    assert held.attributes == ACCESSIBLE
    assert await house.seats_of(held.id) == {"T1"}


async def test_an_area_is_waited_for_and_what_is_nowhere_is_not(house: House) -> None:
    terrace = await venues.add_area(house.app, house.organization, house.ref, name="Terrace")
    await furnish(house, "T2", area_id=terrace.id)
    line = Line(house)
    inside = await book(house, replace(house.wish(2), attributes=ACCESSIBLE))
    outside = await book(house, replace(house.wish(2), area_id=terrace.id))
    await line.join(replace(ask_of(house, "anna"), area_id=terrace.id))
    with pytest.raises(NoTableAsAsked):
        await line.join(replace(ask_of(house, "ben"), area_id=terrace.id, attributes=ACCESSIBLE))
    await cancel(house, inside.booking)
    await line.sweep()
    assert await line.status("anna") is EntryStatus.WAITING
    await cancel(house, outside.booking)
    await line.sweep()
    assert (await line.offered("anna")).area_id == terrace.id


async def test_a_booking_is_not_given_up_for_less_than_it_asked_for(house: House) -> None:
    accessible, plain = await fill(house)
    mine = await book(house, replace(house.wish(2, house.start(days=8)), attributes=ACCESSIBLE))
    seen, _ = await links.join_waitlist(
        house.app, mine.manage_token, Window(house.day(), 0, "19:00", "19:00"), party_size=0, instead=True
    )
    line = Line(house, entries={"claire": seen.entry.id})
    assert seen.entry.ask.attributes == ACCESSIBLE
    await cancel(house, plain.booking)
    await line.sweep()
    assert await line.status("claire") is EntryStatus.WAITING
    await cancel(house, accessible.booking)
    await line.sweep()
    accepted = (await line.accept("claire")).booking
    assert await house.seats_of(accepted.id) == {"T1"}
    assert (await house.read(mine.booking.id)).status is Status.CANCELLED


async def test_who_waited_by_a_link_before_waits_for_what_that_booking_asked_for(house: House) -> None:
    await fill(house)
    mine = await book(house, replace(house.wish(2, house.start(days=8)), attributes=ACCESSIBLE))
    window = Window(house.day(), 0, "19:00", "19:00")
    await links.join_waitlist(house.app, mine.manage_token, window, party_size=0, instead=True)
    line = Line(house)
    await line.wait("anna")
    async with house.app.db.begin(house.organization) as tx:  # as the program before this one left them
        await tx.execute(sa.update(WAITLIST_ENTRIES).values(attributes=[]))
        migration = migrations_of("booking") / "versions" / "0020_asked_of_the_place.py"
        await tx.execute(sa.text(run_path(str(migration))["FILL"]))
        found = await store.list_waiting(tx, house.venue_id, house.day(), after=UUID(int=0), most=9)
    assert [each.ask.attributes for each in found] == [ACCESSIBLE, frozenset()]


async def test_the_edge_takes_and_shows_what_is_asked_of_the_place(edge: Edge, house: House) -> None:
    terrace = await venues.add_area(house.app, house.organization, house.ref, name="Terrace")
    await furnish(house, "T1", area_id=terrace.id, attributes=["accessible"])
    area, attributes = ids.show("are", terrace.id), sorted(ACCESSIBLE)
    await fill(house)
    wish = waitlist_pb2.JoinWaitlistRequest(
        venue_id=ids.show("ven", house.venue_id),
        offering_id=ids.show("off", house.offering.id),
        party_size=2,
        date=house.day().isoformat(),
        earliest="19:00",
        latest="19:00",
        guest=booking_pb2.Guest(name="Anna", email="anna@example.org"),
        area_id=area,
        attributes=attributes,
    )
    entry = (await call(edge, "WaitlistService/JoinWaitlist", wish)).entry
    assert (entry.area_id, list(entry.attributes)) == (area, attributes)
    order = series_pb2.CreateSeriesRequest(
        venue_id=wish.venue_id,
        offering_id=wish.offering_id,
        rule="FREQ=DAILY;COUNT=2",
        first_start=f"{house.day(8).isoformat()}T19:00",
        party_size=2,
        guest=wish.guest,
        area_id=area,
        attributes=attributes,
    )
    owner = member(house.organization, "owner")
    made = (await call(edge, "SeriesService/CreateSeries", order, caller=owner)).series
    assert (made.area_id, list(made.attributes)) == (area, attributes)


async def test_a_series_asks_the_same_of_every_day(house: House) -> None:
    await fill(house)
    with pytest.raises(SeriesConflicts):
        await repeat(house, attributes=ACCESSIBLE)
    view = await repeat(house, attributes=ACCESSIBLE, skip=True)
    assert states(view) == ["skipped", "booked", "booked", "booked"]
    assert view.series.attributes == ACCESSIBLE
    for each in view.occurrences[1:]:
        assert each.booking is not None
        assert each.booking.attributes == ACCESSIBLE
        assert await house.seats_of(each.booking.id) == {"T1"}
