"""Staff at the floor plan: other resources for a booking, two bookings swapped, pinned and let go again."""

from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain import texts
from booking.domain.bookings import Actor, Booking, BookingNotFound, ChangeKind, Step
from booking.domain.overrides import Override
from booking.domain.refusals import SlotTaken
from booking.domain.solver import Choice
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store.days import Lost, lock_days
from booking.usecases import holds, seating
from booking.usecases.retries import until_first
from booking.usecases.seating import Wanted
from servicekit.database import Transaction


@dataclass(frozen=True, slots=True)
class Assignment:
    """The resources that staff choose for a booking: others, more (joined), or fewer (split)."""

    resource_ids: tuple[UUID, ...]
    pinned: bool = False
    override: Override | None = None
    expected_version: int = 0


async def assign(
    app: App, organization: UUID, booking_id: UUID, assignment: Assignment, *, actor: Actor
) -> Booking:
    """Gives a booking the resources that staff chose. A party that is there changes from now on.

    Raises:
        BookingNotFound, BookingStateConflict: there is none, or it occupies nothing.
        VersionMismatch: it has changed since.
        ResourceNotFound, NoTableForParty: the resources are not of the venue, or have too few seats.
        SlotTaken: somebody has one of them; the booking stays where it was.
        Busy: too many others change the same day.
    """

    async def attempt() -> Booking:
        async with app.db.begin(organization) as tx:
            booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
            chosen = tuple(sorted(assignment.resource_ids))
            if booking.live and booking.resource_ids == chosen and booking.pinned == assignment.pinned:
                return booking
            booking.refuse_unless_version(assignment.expected_version)
            override = assignment.override
            waived = booking.overridden | (override.rules if override else frozenset())
            assigned = booking.assign(chosen, pinned=assignment.pinned, now=tx.now, waived=waived)
            days = await seating.read(app, tx, booking, int(booking.start.timestamp()))
            assigned = await seating.seat(tx, days, assigned, Wanted(chosen, waived))
            await _keep(tx, assigned, booking, ChangeKind.ASSIGNED, actor, override=override)
        return assigned

    return await until_first(attempt)


async def pin(
    app: App, organization: UUID, booking_id: UUID, *, pinned: bool, actor: Actor, expected_version: int = 0
) -> Booking:
    """Leaves a booking where it is, or lets the engine move it again. The same answer when it is so already.

    Raises:
        BookingNotFound, BookingStateConflict, VersionMismatch, Busy
    """

    async def attempt() -> Booking:
        async with app.db.begin(organization) as tx:
            booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
            booking.refuse_unless(Step.ASSIGN, tx.now)
            if booking.pinned == pinned:
                return booking
            booking.refuse_unless_version(expected_version)
            changed = booking.assign(booking.resource_ids, pinned=pinned, now=tx.now)
            kind = ChangeKind.PINNED if pinned else ChangeKind.UNPINNED
            await _keep(tx, changed, booking, kind, actor)
        return changed

    return await until_first(attempt)


async def swap(
    app: App, organization: UUID, one: tuple[UUID, int], other: tuple[UUID, int], *, actor: Actor
) -> tuple[Booking, Booking]:
    """Two bookings of a venue change their resources: both or neither. Each with its expected version.

    Raises:
        Inconsistent: they are the same, or of two venues.
        BookingNotFound, BookingStateConflict, VersionMismatch: of either.
        NoTableForParty: one party does not fit where the other was.
        SlotTaken: one stays longer than there is room, or they would meet, as they can when buffers grew
            since; both stay where they were.
        Busy: too many others change the same days.
    """
    if one[0] == other[0]:
        texts.refuse("/other_booking_id", "must be another booking")
    return await until_first(lambda: _swap(app, organization, one, other, actor))


async def _swap(
    app: App, organization: UUID, one: tuple[UUID, int], other: tuple[UUID, int], actor: Actor
) -> tuple[Booking, Booking]:
    async with app.db.begin(organization) as tx:
        first, second = await _lock_both(tx, one[0], other[0])
        for booking, (_, expected) in ((first, one), (second, other)):
            booking.refuse_unless_version(expected)
            booking.refuse_unless(Step.ASSIGN, tx.now)
        swapped = (
            first.assign(second.resource_ids, pinned=first.pinned, now=tx.now),
            second.assign(first.resource_ids, pinned=second.pinned, now=tx.now),
        )
        choices: list[Choice] = []
        for each in swapped:
            days = await seating.read(app, tx, each, int(each.start.timestamp()))
            wanted = Wanted(each.resource_ids, each.overridden)
            choice = await seating.choose(tx, days, each, wanted, leaving={first.id, second.id})
            if choice is None:
                raise SlotTaken
            if any(choice.meets(other) for other in choices):
                raise SlotTaken
            await holds.make_room(tx, choice, now=days.now)
            choices.append(choice)
        await store.release(tx, first.id)
        await store.release(tx, second.id)
        for each, before, choice in zip(swapped, (first, second), choices, strict=True):
            await store.occupy(tx, each, choice.occupations)
            await _keep(tx, each, before, ChangeKind.SWAPPED, actor)
    return swapped


async def _lock_both(tx: Transaction, one: UUID, other: UUID) -> tuple[Booking, Booking]:
    """Their days in order of time, then the two by their ids: whoever swaps them too does the same."""
    seen = [await holds.see_booking(tx, each) for each in (one, other)]
    if seen[0].venue_id != seen[1].venue_id:
        texts.refuse("/other_booking_id", "must be a booking of the same venue")
    await lock_days(tx, seen[0].venue_id, {each.service_date for each in seen})
    locked: dict[UUID, Booking] = {}
    for each in sorted(seen, key=lambda booking: booking.id):
        booking = await store.lock_booking(tx, each.id)
        if booking is None:
            raise BookingNotFound
        if booking.service_date != each.service_date:
            raise Lost
        locked[booking.id] = booking
    return locked[one], locked[other]


async def _keep(
    tx: Transaction,
    booking: Booking,
    before: Booking,
    kind: ChangeKind,
    actor: Actor,
    *,
    override: Override | None = None,
) -> None:
    await store.save_booking(tx, booking, kind, actor, before=before, override=override)
    await events.booking_reseated(tx, booking, before=before)
