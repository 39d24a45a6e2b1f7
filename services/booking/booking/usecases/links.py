"""What the secret of a link opens: one booking, for its guest and for services that write to the guest."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from booking.app import App
from booking.domain import texts
from booking.domain.bookings import (
    NO_REASON,
    Actor,
    ActorKind,
    Booking,
    BookingNotCancellable,
    BookingStateConflict,
    CancelledBy,
    DepositPayment,
    ManageTokenNotFound,
    Reason,
    Step,
    new_token,
    token_hash,
)
from booking.domain.venues import (
    Venue,
    VenueRef,
)
from booking.domain.waitlist import Ask
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store import venues as venue_store
from booking.usecases import changes, holds, waitlist
from booking.usecases.changes import Move
from booking.usecases.directory import find_own_venue
from booking.usecases.requests import ask_deposit
from booking.usecases.waitlist import Seen
from servicekit import ids
from servicekit.database import Transaction
from servicekit.money import Money

_GUEST = Actor(ActorKind.GUEST)


@dataclass(frozen=True, slots=True)
class Managed:
    """A booking as its guest sees it."""

    booking: Booking
    venue: Venue
    refund_if_cancelled: Money | None
    """None when nothing was paid; so are the next two."""
    fee_if_cancelled: Money | None
    free_until: datetime | None
    fee_if_missed: Money | None
    """None when there is nothing to lose by not coming."""
    movable: bool
    cancellable: bool


@dataclass(frozen=True, slots=True)
class Window:
    """When a guest would like to come: local times "HH:MM", empty for any."""

    date: date
    flexible_days: int
    earliest: str
    latest: str


@dataclass(frozen=True, slots=True)
class Described:
    """A booking with what a mail about it needs."""

    booking: Booking
    venue: Venue
    offering_name: str
    manage_token: str
    """Empty unless asked for."""


async def get_managed_booking(app: App, token: str) -> Managed:
    """The booking of a link, and what cancelling it now or not coming costs. Raises ManageTokenNotFound."""
    organization, booking_id = await _open(app, token)
    async with app.db.begin(organization) as tx:
        booking = await _still_open(tx, booking_id)
        venue = await find_own_venue(tx, VenueRef(booking.venue_id))
        booking = booking.as_of(tx.now)
        now, fee = tx.now, booking.fee_if_cancelled(now=tx.now)
    return Managed(
        booking,
        venue,
        refund_if_cancelled=booking.refund_if_cancelled(CancelledBy.GUEST, now=now),
        fee_if_cancelled=fee,
        free_until=booking.free_until if fee else None,
        fee_if_missed=booking.fee_if_missed(now=now),
        movable=booking.follows(Step.MOVE, now),
        cancellable=booking.follows(Step.CANCEL, now),
    )


async def move_managed_booking(app: App, token: str, move: Move) -> Booking:
    """Moves the booking of a link. Raises ManageTokenNotFound, and like `move_booking`."""
    organization, booking_id = await _opened(app, token)
    return await changes.move_booking(app, organization, booking_id, move, actor=_GUEST)


async def cancel_managed_booking(
    app: App,
    token: str,
    *,
    reason: Reason = NO_REASON,
    expected_version: int = 0,
    accepted_fee: Money | None = None,
) -> Booking:
    """Cancels the booking of a link, at what its guest accepts, if they say so.

    Raises ManageTokenNotFound, and like `cancel_booking`.
    """
    organization, booking_id = await _opened(app, token)
    return await changes.cancel_booking(
        app,
        organization,
        booking_id,
        by=CancelledBy.GUEST,
        actor=_GUEST,
        reason=reason,
        expected_version=expected_version,
        accepted_fee=accepted_fee,
    )


async def resend_managed_booking(app: App, token: str) -> None:
    """Has the mail about a link's booking sent again.

    Raises:
        ManageTokenNotFound: the link is not valid.
        BookingStateConflict: there is no mail about a booking that stands like this.
        Inconsistent: its guest has no e-mail address.
    """
    organization, booking_id = await _open(app, token)
    async with app.db.begin(organization) as tx:
        booking = await _still_open(tx, booking_id)
        booking.refuse_unless(Step.REMAIL, tx.now)
        _refuse_unless_mailable(booking)
        await events.link_requested(tx, booking)


async def pay_managed_deposit(app: App, token: str) -> DepositPayment:
    """How the deposit of a link's booking is paid; the same answer however often it is asked.

    Raises:
        ManageTokenNotFound: the link is not valid.
        BookingStateConflict: no deposit is due now.
        Unavailable: payment is down.
    """
    organization, booking_id = await _opened(app, token)
    async with app.db.begin(organization) as tx:
        booking = await holds.see_booking(tx, booking_id)
        booking.refuse_unless(Step.PAY, tx.now)
    payment = await ask_deposit(app, organization, booking)
    if payment is None:  # what is only offered to somebody who waits
        raise BookingStateConflict(metadata={"status": booking.status.value, "step": Step.PAY.value})
    return payment


async def join_waitlist(
    app: App, token: str, window: Window, *, party_size: int, instead: bool
) -> tuple[Seen, str]:
    """Puts the guest of a link's booking in line for another time or more people, with its offering.

    What they ask of the place is what they asked when they booked. `party_size` 0: as many as the booking
    has. With `instead`, the booking is cancelled once an offer is confirmed. Answers what
    `waitlist.join_waitlist` does.

    Raises:
        ManageTokenNotFound: the link is not valid.
        BookingNotCancellable: it cannot be cancelled any more, so nothing takes its place.
        Inconsistent: nobody could be told of an offer, for want of an e-mail address.
        SlotAvailable, SlotNotReleased, SlotTooFarAhead, NoTableForParty, NoTableAsAsked, PartyBeyondPace,
            SlotEndsTooLate, SlotTooSoon, SlotClosed, WaitlistOfferPending, Busy: see
            `waitlist.join_waitlist`.
    """
    organization, booking_id = await _open(app, token)
    async with app.db.begin(organization) as tx:
        booking = await _still_open(tx, booking_id)
        if instead and not booking.follows(Step.CANCEL, tx.now):
            raise BookingNotCancellable
    _refuse_unless_mailable(booking)
    ask = Ask.of(
        replace(booking.guest, id=ids.new()),
        offering_id=booking.offering_id,
        party_size=party_size or booking.party_size,
        best_date=window.date,
        flexible_days=window.flexible_days,
        earliest=window.earliest,
        latest=window.latest,
        notes=booking.notes,
        area_id=booking.area_id,
        attributes=booking.attributes,
    )
    ask = ask.beside(booking_id, instead=instead)
    return await waitlist.join_waitlist(app, VenueRef(booking.venue_id), ask)


async def resolve_manage_token(app: App, token: str) -> tuple[UUID, Booking]:
    """The organization and the booking of a link. Raises ManageTokenNotFound."""
    organization, booking_id = await _open(app, token)
    async with app.db.begin(organization) as tx:
        return organization, (await _still_open(tx, booking_id)).as_of(tx.now)


async def describe_booking(
    app: App, organization: UUID, booking_id: UUID, *, issue_manage_token: bool
) -> Described:
    """A booking as it stands, with a further link if asked for. Raises BookingNotFound."""
    token = new_token() if issue_manage_token else ""
    async with app.db.begin(organization) as tx:
        booking = await holds.see_booking(tx, booking_id)
        venue = await find_own_venue(tx, VenueRef(booking.venue_id))
        name = await venue_store.name_of_offering(tx, booking.venue_id, booking.offering_id)
        if token:
            await store.insert_token(tx, booking_id, token_hash(token))
        booking = booking.as_of(tx.now)
    return Described(booking, venue, name, token)


async def _open(app: App, token: str) -> tuple[UUID, UUID]:
    """Whose link it is, by the hash of its secret."""
    async with app.db.begin_platform(reason="open a manage link") as tx:
        found = await store.find_token(tx, token_hash(token))
    if found is None:
        raise ManageTokenNotFound
    return found


async def _opened(app: App, token: str) -> tuple[UUID, UUID]:
    """The same, when the link still holds."""
    organization, booking_id = await _open(app, token)
    async with app.db.begin(organization) as tx:
        await _still_open(tx, booking_id)
    return organization, booking_id


async def _still_open(tx: Transaction, booking_id: UUID) -> Booking:
    booking = await holds.see_booking(tx, booking_id)
    if not booking.token_holds(tx.now):
        raise ManageTokenNotFound
    return booking


def _refuse_unless_mailable(booking: Booking) -> None:
    if not booking.guest.email:
        texts.refuse("/token", "must be of a booking whose guest has an e-mail address")
