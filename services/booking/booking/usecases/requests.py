"""Requests: staff say yes or no, or time does. Two that want the same room cannot both be said yes to."""

from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain import exceptions
from booking.domain.bookings import (
    Actor,
    Booking,
    ChangeKind,
    DepositPayment,
    Reason,
    Status,
    Step,
)
from booking.domain.floor import Channel
from booking.domain.overrides import Override, Rule
from booking.domain.terms import RequestRule
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store.days import Days
from booking.usecases import deadlines, holds, seating
from booking.usecases.retries import until_first
from booking.usecases.seating import Wanted
from servicekit import timers
from servicekit.database import Transaction
from servicekit.timers import Timer


@dataclass(frozen=True, slots=True)
class Answer:
    """How staff say yes. Without resources the engine chooses."""

    resource_ids: tuple[UUID, ...] = ()
    override: Override | None = None
    expected_version: int = 0


async def confirm_request(
    app: App, organization: UUID, booking_id: UUID, answer: Answer, *, actor: Actor
) -> Booking:
    """Says yes to a request: it has its room from now on, and is held where a deposit is due.

    By the rules of a booking that staff make, as far as `answer.override` does not set them aside; notice was
    given when the guest asked. The same answer when staff said yes before, also once it is paid. Others who
    are to come are moved to other seats where that makes room. The payment is asked for after the hold is
    safe; when payment is down, the hold stays and a repeated call asks again.

    Raises:
        BookingNotFound, BookingStateConflict: there is none, or it is no request, or ran out.
        VersionMismatch: it has changed since.
        SlotClosed, SlotEndsTooLate: the hours do not allow it, or not any more.
        PartyBeyondPace, SlotPaced: the rules of pacing do not, or too many others begin around then.
        SlotTaken: somebody else has the room.
        ResourceNotFound, NoTableForParty: what staff chose is not there, or has too few seats.
        Busy: too many others change the same day.
        Unavailable: payment is down.
    """
    booking = await until_first(lambda: _confirm(app, organization, booking_id, answer, actor))
    await ask_deposit(app, organization, booking)
    return booking


async def decline_request(
    app: App,
    organization: UUID,
    booking_id: UUID,
    reason: Reason,
    *,
    actor: Actor,
    expected_version: int = 0,
) -> Booking:
    """Says no to a request. The same answer when staff said no before.

    Raises:
        BookingNotFound, BookingStateConflict, VersionMismatch, Busy
    """

    async def attempt() -> Booking:
        async with app.db.begin(organization) as tx:
            booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
            if booking.status is Status.DECLINED:
                return booking
            booking.refuse_unless_version(expected_version)
            declined = booking.decline(reason, now=tx.now)
            await store.release(tx, booking.id)
            await store.save_booking(tx, declined, ChangeKind.DECLINED, actor, before=booking, reason=reason)
            await deadlines.watch(tx, declined)
            await events.booking_declined(tx, declined)
        return declined

    return await until_first(attempt)


async def end_request(app: App, timer: Timer) -> None:
    """Nobody answered a request in time: it is expired. Raises BookingNotFound, Busy."""
    async with app.db.begin(timer.tenant) as tx:
        booking = await holds.lock_with_day(tx, await holds.see_booking(tx, UUID(timer.key)))
        if not await timers.done(tx, timer):
            return
        if booking.status is Status.REQUESTED and booking.ran_out(tx.now):
            await holds.expire(tx, booking)


async def ask_deposit(app: App, organization: UUID, booking: Booking) -> DepositPayment | None:
    """How the deposit of a held booking is paid; None when none is due. Raises Unavailable."""
    if booking.status is not Status.HELD or booking.deposit is None:
        return None
    description = f"Deposit for {booking.party_size} people on {booking.service_date.isoformat()}"
    return await app.deposits.request(organization, booking.id, booking.deposit, description=description)


async def _confirm(app: App, organization: UUID, booking_id: UUID, answer: Answer, actor: Actor) -> Booking:
    async with app.db.begin(organization) as tx:
        booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
        if booking.status is not Status.REQUESTED and await _said_yes(tx, booking):
            return booking
        booking.refuse_unless_version(answer.expected_version)
        booking.refuse_unless(Step.CONFIRM, tx.now)
        days = await seating.read(app, tx, booking, int(booking.start.timestamp()))
        rule = days.plan.offering_of(booking.offering_id).terms.requests or RequestRule(1)
        waived = booking.overridden | (answer.override.rules if answer.override else frozenset())
        pay_by = rule.pay_by(start=booking.start, now=days.now)
        confirmed = booking.confirm(pay_by=pay_by, now=days.now, waived=waived)
        _refuse_against_rules(days, confirmed)
        wanted = Wanted(answer.resource_ids or booking.resource_ids, waived)
        confirmed = await seating.seat(tx, days, confirmed, wanted, others_may_move=app)
        kind = ChangeKind.HELD if confirmed.status is Status.HELD else ChangeKind.CONFIRMED
        await store.save_booking(tx, confirmed, kind, actor, before=booking, override=answer.override)
        await deadlines.watch(tx, confirmed)
        if confirmed.status is Status.HELD:
            await events.booking_held(tx, confirmed)
        else:
            await events.booking_confirmed(tx, confirmed)
    return confirmed


def _refuse_against_rules(days: Days, booking: Booking) -> None:
    """Lets staff promise what they may book: within the hours, and where not too many others begin."""
    start, end = int(booking.start.timestamp()), int(booking.end.timestamp())
    plan, day, waived = days.plan, booking.service_date, booking.overridden
    offering = plan.offering_of(booking.offering_id)
    exceptions.refuse_unless_open(plan, offering, day, start=start, end=end, waived=waived)
    if Rule.PACING not in waived:
        seating.refuse_if_paced(days, booking, Channel.STAFF)


async def _said_yes(tx: Transaction, booking: Booking) -> bool:
    """Whether staff confirmed the request before, and it stands since: held, paid or not, moved or not."""
    if booking.status not in (Status.HELD, Status.CONFIRMED):
        return False
    return any(
        each.actor.is_staff and each.version > 1 and each.kind in (ChangeKind.HELD, ChangeKind.CONFIRMED)
        for each in await store.list_changes(tx, booking.id)
    )
