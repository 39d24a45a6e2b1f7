"""Waiting for something better than a booking: by its link, beside it or in its place."""

import pytest

from booking.app import App
from booking.consumer import on_booking_confirmed
from booking.domain.bookings import BookingNotCancellable, CancelledBy, ManageTokenNotFound, Status
from booking.domain.texts import Inconsistent
from booking.domain.waitlist import EntryStatus, SlotAvailable
from booking.timers import TIMERS
from booking.usecases import links
from booking.usecases.bookings import Made
from booking.usecases.links import Window
from booking.usecases.rebookings import WAITLIST_REBOOKING
from booking.usecases.waitlist import Seen
from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import events_pb2, waitlist_pb2
from servicekit import ids
from testkit import outbox, timers
from testkit.callers import member
from testkit.edge import Edge
from testkit.events import event_of

from .conftest import House, Payments, call, refusal
from .line import Line, cancel, small_house


@pytest.fixture
async def line(app: App, payments: Payments) -> Line:
    return Line(await small_house(app, payments))


async def wait(line: Line, made: Made, *, instead: bool = True, party_size: int = 0) -> Seen:
    """Joins by the link of a booking, for 19:00 in seven days."""
    window = Window(line.house.day(), 0, "19:00", "19:00")
    seen, token = await links.join_waitlist(
        line.house.app, made.manage_token, window, party_size=party_size, instead=instead
    )
    line.tokens["claire"], line.entries["claire"] = token, seen.entry.id
    return seen


async def offered_instead(line: Line, party: int = 2, *, instead: bool = True) -> tuple[Made, Made]:
    """A booking of tomorrow in eight days, whose guest is offered 19:00 in seven; and who had that."""
    house = line.house
    first = await house.book(party)
    mine = await house.book(party, house.start(days=8))
    await wait(line, mine, instead=instead)
    await cancel(house, first.booking)
    await line.sweep()
    return mine, first


async def test_a_guest_waits_by_the_link_with_the_offering_and_party_of_the_booking(line: Line) -> None:
    house = line.house
    await house.book(2)
    mine = await house.book(2, house.start(21, days=8))
    ask = (await wait(line, mine, instead=False)).entry.ask
    assert (ask.offering_id, ask.party_size, ask.guest.name) == (house.offering.id, 2, "Claire")
    assert (ask.booking_id, ask.instead) == (mine.booking.id, False)
    assert (await line.see("claire")).entry.ask.booking_id == mine.booking.id


async def test_an_offer_that_is_accepted_takes_the_place_of_the_booking_at_once(line: Line) -> None:
    house = line.house
    mine, _ = await offered_instead(line)
    assert (await house.read(mine.booking.id)).status is Status.CONFIRMED
    accepted = await line.accept("claire")
    assert accepted.booking.status is Status.CONFIRMED
    gone = await house.read(mine.booking.id)
    assert (gone.status, gone.cancelled_by, gone.ending.code) == (
        Status.CANCELLED,
        CancelledBy.GUEST,
        "rebooked",
    )
    assert await house.seats_of(mine.booking.id) == set()
    assert (await line.accept("claire")).booking == accepted.booking


async def test_whoever_waits_beside_a_booking_keeps_both(line: Line) -> None:
    mine, _ = await offered_instead(line, instead=False)
    await line.accept("claire")
    assert (await line.house.read(mine.booking.id)).status is Status.CONFIRMED


async def test_a_booking_that_is_called_off_meanwhile_keeps_nobody_from_accepting(line: Line) -> None:
    mine, _ = await offered_instead(line)
    await cancel(line.house, mine.booking)
    assert (await line.accept("claire")).booking.status is Status.CONFIRMED
    assert len(await line.house.history(mine.booking.id)) == 2


async def test_where_a_deposit_is_due_the_booking_goes_once_it_is_paid(line: Line) -> None:
    house = line.house
    mine, _ = await offered_instead(line, 6)
    accepted = (await line.accept("claire")).booking
    assert accepted.status is Status.HELD
    assert (await house.read(mine.booking.id)).status is Status.HELD
    house.payments.paid.add(ids.show("bkg", accepted.id))
    await line.pass_by(accepted)
    await house.ring("hold_expiry", accepted.id)
    await confirmed(line)
    (timer,) = await timers.scheduled(house.app.db, WAITLIST_REBOOKING)
    for _ in range(2):  # it may ring twice
        await TIMERS[WAITLIST_REBOOKING](house.app, timer)
    assert (await house.read(mine.booking.id)).status is Status.CANCELLED
    assert (await house.read(accepted.id)).status is Status.CONFIRMED
    assert await timers.scheduled(house.app.db, WAITLIST_REBOOKING) == []


async def confirmed(line: Line) -> None:
    """Lets booking hear of what was confirmed last."""
    told = await outbox.published(line.house.app.db)
    last = [each for each in told if isinstance(each, events_pb2.BookingConfirmed)][-1]
    await on_booking_confirmed(line.house.app, event_of(last, line.house.organization))


async def test_a_booking_that_is_paid_ends_no_waiting_by_its_own_link(line: Line) -> None:
    house = line.house
    await house.book(2)
    mine = await house.book(6)
    await wait(line, mine, instead=False, party_size=2)
    house.payments.paid.add(ids.show("bkg", mine.booking.id))
    await house.run_out(mine)
    await house.ring("hold_expiry", mine.booking.id)
    await confirmed(line)
    assert await line.status("claire") is EntryStatus.WAITING


async def test_what_can_be_booked_and_what_cannot_be_replaced_is_not_waited_for(line: Line) -> None:
    house = line.house
    mine = await house.book(2, house.start(days=8))
    with pytest.raises(SlotAvailable):
        await wait(line, mine)
    await house.book(2)
    await cancel(house, mine.booking)
    with pytest.raises(BookingNotCancellable):
        await wait(line, mine)
    assert (await wait(line, mine, instead=False)).entry.status is EntryStatus.WAITING
    with pytest.raises(ManageTokenNotFound):
        await links.join_waitlist(
            house.app, "nonsense", Window(house.day(), 0, "", ""), party_size=0, instead=False
        )


async def test_the_edge_takes_a_wish_by_the_link_of_a_booking(edge: Edge, house: House) -> None:
    await house.book(10)
    mine = await house.book(2, house.start(days=8))
    request = waitlist_pb2.JoinManagedWaitlistRequest(
        token=mine.manage_token,
        date=house.day().isoformat(),
        earliest="19:00",
        latest="19:00",
        party_size=10,
        instead_of_booking=True,
    )
    answer = await call(edge, "GuestWaitlistService/JoinManagedWaitlist", request)
    entry = answer.entry
    assert (entry.status, entry.party_size) == (waitlist_pb2.WAITLIST_STATUS_WAITING, 10)
    assert (entry.joined_by_booking_id, entry.instead_of_booking) == (ids.show("bkg", mine.booking.id), True)
    request.date = "2027-02-30"
    refused = await refusal(edge, "GuestWaitlistService/JoinManagedWaitlist", request)
    assert refused.reason == "INVALID_REQUEST"


async def test_nobody_waits_who_could_not_be_told(edge: Edge, house: House) -> None:
    walk_in = pb.CreateWalkInRequest(
        venue_id=ids.show("ven", house.venue_id), offering_id=ids.show("off", house.offering.id), party_size=2
    )
    made = await call(edge, "BookingService/CreateWalkIn", walk_in, caller=member(house.organization, "host"))
    booking_id = ids.parse("bkg", made.booking.id, ManageTokenNotFound)
    described = await links.describe_booking(
        house.app, house.organization, booking_id, issue_manage_token=True
    )
    with pytest.raises(Inconsistent):
        await links.join_waitlist(
            house.app, described.manage_token, Window(house.day(), 0, "", ""), party_size=0, instead=False
        )
