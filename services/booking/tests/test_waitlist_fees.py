"""What giving a booking up costs: shown before it is taken, and taken as it was shown or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import CancellationFeeChanged, Status
from booking.tables import BOOKINGS
from booking.timers import TIMERS
from booking.usecases import links, offers, waitlist
from booking.usecases.bookings import Made
from booking.usecases.rebookings import WAITLIST_REBOOKING
from comptoir.booking.v1 import booking_pb2, events_pb2, waitlist_pb2
from comptoir.common.v1 import values_pb2
from servicekit import ids
from servicekit.money import Money
from testkit import outbox, timers
from testkit.edge import Edge

from .conftest import House, Payments, call, open_house, refusal
from .line import Line, cancel
from .test_rebookings import confirmed, wait

PAID = Money(6000, "EUR")
NOTHING = Money(0, "EUR")


@pytest.fixture
async def line(app: App, payments: Payments) -> Line:
    """One table for up to six: a deposit is due of six, and not of two."""
    return Line(await open_house(app, payments, tables=(("T4", 1, 6),), joined=()))


async def set_start(house: House, made: Made, hours: int) -> None:
    """A paid booking that begins in so many hours: cancelling costs all of its deposit within 24."""
    start = datetime.now(UTC) + timedelta(hours=hours)
    values = {
        "status": "confirmed",
        "hold_expires_at": None,
        "deposit_paid_at": datetime.now(UTC) - timedelta(days=9),
        "start_at": start,
        "end_at": start + timedelta(hours=2),
    }
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == made.booking.id).values(values))


async def offered_instead(line: Line, *, hours: int = 23, party_size: int = 2) -> Made:
    """A paid booking whose guest is offered 19:00 in seven days for it."""
    house = line.house
    blocker = await house.book(2)
    mine = await house.book(6, house.start(days=8))
    await set_start(house, mine, hours)
    await wait(line, mine, party_size=party_size)
    await cancel(house, blocker.booking)
    await line.sweep()
    return mine


async def refunded(line: Line) -> int:
    """What the last cancellation gives back."""
    told = await outbox.published(line.house.app.db)
    return [each for each in told if isinstance(each, events_pb2.BookingCancelled)][-1].refund_due.amount


async def test_an_offer_tells_what_accepting_it_loses_and_takes_no_other_amount(line: Line) -> None:
    house = line.house
    mine = await offered_instead(line, hours=26)
    entry_id = line.entries["claire"]
    assert (await line.see("claire")).fee_if_accepted == NOTHING
    await set_start(house, mine, 23)
    assert (await line.see("claire")).fee_if_accepted == PAID
    for seen in (NOTHING, Money(5999, "EUR"), Money(6000, "CHF")):
        with pytest.raises(CancellationFeeChanged) as caught:
            await offers.accept_offer(house.app, house.organization, entry_id, accepted_fee=seen)
        assert caught.value.metadata == {"fee": "6000", "currency": "EUR"}
    assert (await house.read(mine.booking.id)).status is Status.CONFIRMED
    accepted = await offers.accept_offer(house.app, house.organization, entry_id, accepted_fee=PAID)
    assert accepted.booking.status is Status.CONFIRMED
    assert (await house.read(mine.booking.id)).status is Status.CANCELLED
    assert await refunded(line) == 0
    again = await offers.accept_offer(house.app, house.organization, entry_id, accepted_fee=NOTHING)
    assert again.booking == accepted.booking


async def test_a_booking_that_was_called_off_meanwhile_is_not_lost_again(line: Line) -> None:
    house = line.house
    mine = await offered_instead(line)
    await cancel(house, mine.booking)
    assert (await line.see("claire")).fee_if_accepted is None
    await offers.accept_offer(house.app, house.organization, line.entries["claire"], accepted_fee=NOTHING)


async def test_while_a_deposit_is_paid_no_fee_grows_that_was_accepted(line: Line) -> None:
    house = line.house
    mine = await offered_instead(line, hours=26, party_size=6)
    accepted = await offers.accept_offer(
        house.app, house.organization, line.entries["claire"], accepted_fee=NOTHING
    )
    assert accepted.booking.status is Status.HELD
    await set_start(house, mine, 25)
    async with house.app.db.begin(house.organization) as tx:  # the last free moment is over
        over = {"free_until": tx.now - timedelta(milliseconds=1)}
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == mine.booking.id).values(over))
    house.payments.paid.add(ids.show("bkg", accepted.booking.id))
    await line.pass_by(accepted.booking)
    await house.ring("hold_expiry", accepted.booking.id)
    await confirmed(line)
    (timer,) = await timers.scheduled(house.app.db, WAITLIST_REBOOKING)
    await TIMERS[WAITLIST_REBOOKING](house.app, timer)
    assert (await house.read(mine.booking.id)).status is Status.CANCELLED
    assert await refunded(line) == PAID.amount


async def test_a_link_cancels_at_the_fee_that_was_seen_or_not_at_all(line: Line) -> None:
    house = line.house
    mine = await house.book(6)
    await set_start(house, mine, 23)
    with pytest.raises(CancellationFeeChanged) as caught:
        await links.cancel_managed_booking(house.app, mine.manage_token, accepted_fee=NOTHING)
    assert caught.value.metadata == {"fee": "6000", "currency": "EUR"}
    await links.cancel_managed_booking(house.app, mine.manage_token, accepted_fee=PAID)
    assert await refunded(line) == 0
    again = await links.cancel_managed_booking(house.app, mine.manage_token, accepted_fee=NOTHING)
    assert again.status is Status.CANCELLED


async def test_nothing_is_lost_with_what_was_not_paid(line: Line) -> None:
    house = line.house
    mine = await house.book(2)
    with pytest.raises(CancellationFeeChanged) as caught:
        await links.cancel_managed_booking(house.app, mine.manage_token, accepted_fee=PAID)
    assert caught.value.metadata == {"fee": "0"}
    await links.cancel_managed_booking(house.app, mine.manage_token, accepted_fee=NOTHING)


async def test_the_edge_shows_and_takes_accepted_fees(edge: Edge, line: Line) -> None:
    house = line.house
    mine = await offered_instead(line)
    found, _ = await waitlist.get_entry_of_link(house.app, line.tokens["claire"])
    assert found.fee_if_accepted == PAID
    look = waitlist_pb2.GetWaitlistEntryRequest(token=line.tokens["claire"])
    shown = await call(edge, "GuestWaitlistService/GetWaitlistEntry", look)
    assert shown.entry.offer.fee_if_accepted.amount == PAID.amount
    free = values_pb2.Money(amount=0, currency="EUR")
    accept = waitlist_pb2.AcceptWaitlistOfferRequest(token=line.tokens["claire"], accepted_fee=free)
    refused = await refusal(edge, "GuestWaitlistService/AcceptWaitlistOffer", accept)
    assert refused.reason == "CANCELLATION_FEE_CHANGED"
    off = booking_pb2.CancelManagedBookingRequest(token=mine.manage_token, accepted_fee=free)
    refused = await refusal(edge, "GuestBookingService/CancelManagedBooking", off)
    assert (refused.reason, dict(refused.metadata)["fee"]) == ("CANCELLATION_FEE_CHANGED", "6000")
    off.accepted_fee.amount = PAID.amount
    await call(edge, "GuestBookingService/CancelManagedBooking", off)
