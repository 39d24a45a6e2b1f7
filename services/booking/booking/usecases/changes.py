"""Moving and cancelling: behind everybody else who changes the days involved, all of it or nothing."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import availability, calendar, exceptions
from booking.domain.bookings import (
    NO_REASON,
    Actor,
    ActorKind,
    Booking,
    CancelledBy,
    ChangeKind,
    Reason,
    Status,
    Step,
    refuse_unless_accepted,
)
from booking.domain.calendar import Start
from booking.domain.overrides import Override, Rule
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store import days as day_store
from booking.store.days import Days, Lost
from booking.usecases import deadlines, holds, seating
from booking.usecases.retries import until_first
from booking.usecases.seating import Wanted
from servicekit.database import Transaction
from servicekit.money import Money


@dataclass(frozen=True, slots=True)
class Move:
    """What is to become of a booking's time and size; None and 0 leave them as they are."""

    start: Start | None = None
    party_size: int = 0
    override: Override | None = None
    expected_version: int = 0


async def move_booking(
    app: App, organization: UUID, booking_id: UUID, move: Move, *, actor: Actor
) -> Booking:
    """Moves a booking to another start, gives it another party size, or both: all of it or nothing.

    What it promised and cost stays, also for a party that grew. Others who are to come are moved to other
    seats where that makes room. A guest inherits no exception of staff for more people or a longer stay.

    Raises:
        BookingNotFound, BookingNotMovable: there is none, or it has begun, or is over.
        VersionMismatch: it has changed since.
        LocalTimeMissing, LocalTimeAmbiguous: the venue's clocks never show the start, or twice.
        SlotClosed, SlotEndsTooLate, SlotTooSoon, SlotNotReleased, SlotTooFarAhead, NoTableForParty,
            NoTableAsAsked, PartyBeyondPace: it cannot be booked by anybody.
        PartyAsksFirst: a guest makes a party so large that it has to be asked for.
        DepositWouldGrow: a guest makes a party so large that it would owe a larger deposit.
        SlotPaced: too many others begin around then.
        SlotTaken: everything is occupied then; the booking stays where it was.
        Busy: too many others change the same days.
    """
    return await until_first(lambda: _move(app, organization, booking_id, move, actor))


async def cancel_booking(
    app: App,
    organization: UUID,
    booking_id: UUID,
    *,
    by: CancelledBy,
    actor: Actor,
    reason: Reason = NO_REASON,
    expected_version: int = 0,
    accepted_fee: Money | None = None,
) -> Booking:
    """Calls a booking off and frees what it occupied. The same answer when it was called off before.

    `accepted_fee`: what its guest has seen that it costs; None for whatever it does.

    Raises:
        BookingNotFound, BookingNotCancellable: there is none, or it has begun, or has expired.
        VersionMismatch: it has changed since.
        CancellationFeeChanged: a guest's cancellation costs another amount by now.
        Busy: somebody changes the day for too long.
    """

    async def attempt() -> Booking:
        async with app.db.begin(organization) as tx:
            seen = await holds.see_booking(tx, booking_id)
            if seen.status is Status.CANCELLED:
                return seen
            booking = await holds.lock_with_day(tx, seen)
            if booking.status is Status.CANCELLED:
                return booking
            booking.refuse_unless_version(expected_version)
            if booking.follows(Step.CANCEL, tx.now):
                refuse_unless_accepted(booking.fee_if_cancelled(now=tx.now), accepted_fee)
            return await cancel_locked(tx, booking, by=by, actor=actor, reason=reason)

    return await until_first(attempt)


async def _move(app: App, organization: UUID, booking_id: UUID, move: Move, actor: Actor) -> Booking:
    async with app.db.begin(organization) as tx:
        seen = await holds.see_booking(tx, booking_id)
        seen.refuse_unless_movable(tx.now)
        start = int(seen.start.timestamp())
        if move.start is not None:
            start = calendar.resolve(ZoneInfo(seen.time_zone), move.start)
        seen_days = await seating.read(app, tx, seen, start)
        _refuse_growth(seen_days, seen, move, actor)
        service_date, _ = _target(seen_days, seen, start, move, actor)
        days = {seen.service_date, service_date}
        await day_store.lock_days(tx, seen.venue_id, days)
        booking = await store.lock_booking(tx, booking_id)
        if booking is None or booking.service_date != seen.service_date:
            raise Lost
        booking.refuse_unless_version(move.expected_version)
        return await move_locked(app, tx, booking, start, move, locked=days, actor=actor)


async def move_locked(
    app: App,
    tx: Transaction,
    booking: Booking,
    start: int,
    move: Move,
    *,
    locked: Collection[date],
    actor: Actor,
) -> Booking:
    """Moves a locked booking to `start` (epoch seconds). When it is refused, nothing was written.

    Raises:
        BookingNotMovable, PartyAsksFirst, DepositWouldGrow, and the refusals of a start: see `move_booking`.
        Lost: it would be on a service day that is not `locked`, or somebody was quicker.
    """
    if start == int(booking.start.timestamp()) and move.party_size in (0, booking.party_size):
        return booking
    days = await seating.read(app, tx, booking, start)
    _refuse_growth(days, booking, move, actor)
    service_date, end = _target(days, booking, start, move, actor)
    if service_date not in locked:
        raise Lost
    moved = booking.move(
        datetime.fromtimestamp(start, UTC),
        datetime.fromtimestamp(end, UTC),
        service_date,
        now=days.now,
        by=actor.kind,
        party_size=move.party_size,
        waived=move.override.rules if move.override else (),
    )
    if booking.live:
        if move.override is None or Rule.PACING not in move.override.rules:
            _refuse_if_paced(days, moved, booking)
        wanted = Wanted(waived=moved.overridden)
        moved = await seating.seat(tx, days, moved, wanted, others_may_move=app)
    await store.save_booking(tx, moved, ChangeKind.MOVED, actor, before=booking, override=move.override)
    await deadlines.watch(tx, moved)
    await _tell(tx, moved, booking)
    return moved


async def cancel_locked(
    tx: Transaction,
    booking: Booking,
    *,
    by: CancelledBy,
    actor: Actor,
    reason: Reason,
    decided_at: datetime | None = None,
) -> Booking:
    """Calls a locked booking off, at what that cost at `decided_at`, or costs now.

    Raises:
        BookingNotCancellable: it has begun, or is over; then nothing was written.
    """
    refund = booking.refund_if_cancelled(by, now=decided_at or tx.now)
    cancelled = booking.cancel(by, now=tx.now, reason=reason)
    await store.release(tx, booking.id)
    await store.save_booking(tx, cancelled, ChangeKind.CANCELLED, actor, before=booking, reason=reason)
    await deadlines.watch(tx, cancelled)
    await events.booking_cancelled(tx, cancelled, refund_due=refund)
    return cancelled


async def _tell(tx: Transaction, moved: Booking, before: Booking) -> None:
    if moved.status is Status.REQUESTED:
        await events.booking_requested(tx, moved)
    else:
        await events.booking_moved(tx, moved, before=before)


def _refuse_growth(days: Days, booking: Booking, move: Move, actor: Actor) -> None:
    """Guests grow within what they paid for, and where nobody asks first. Staff decide for themselves."""
    if actor.kind is ActorKind.GUEST:
        offering = days.plan.offering_of(booking.offering_id)
        offering.refuse_growth(booking.party_size, move.party_size, promised=booking.deposit)


def _target(days: Days, booking: Booking, start: int, move: Move, actor: Actor) -> tuple[date, int]:
    """The service day of the start and the end of the stay.

    At the start that it has, no rule of time counts again, for it was booked under those that stood: only
    hours do, for a stay that gets longer. Elsewhere only what is set aside for this move does not count; an
    exception for its size stays with a booking.
    """
    plan, offering = days.plan, days.plan.offering_of(booking.offering_id)
    size = move.party_size or booking.party_size
    given = move.override.rules if move.override else frozenset()
    at = datetime.fromtimestamp(start, UTC)
    waived = booking.exceptions_after_move(at, party_size=size, by=actor.kind) | given
    any_size = Rule.PARTY_SIZE in waived or not booking.live
    party = replace(booking.party, size=size, any_size=any_size)
    if start == int(booking.start.timestamp()):
        day = booking.service_date
        plan.refuse_unless_taken(offering, party, day)
        end = start + availability.stay_seconds(offering, size, day)
        if end > int(booking.end.timestamp()):
            inherited = given if actor.kind is ActorKind.GUEST else waived
            exceptions.refuse_unless_open(plan, offering, day, start=start, end=end, waived=inherited)
        return day, end
    return exceptions.bookable_stay(
        plan,
        offering,
        start=start,
        party=party,
        now=int(days.now.timestamp()),
        waived=waived,
    )


def _refuse_if_paced(days: Days, moved: Booking, before: Booking) -> None:
    """Lets a booking go where not too many others begin. At its start, only one that grew counts anew."""
    if moved.start == before.start and moved.party_size <= before.party_size:
        return
    seating.refuse_if_paced(days, moved, moved.channel)
