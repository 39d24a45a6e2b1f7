"""Bookings with their guests, what they occupy, their history, and the secrets of their links."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from booking.domain.bookings import (
    NO_REASON,
    Actor,
    ActorKind,
    Booking,
    CancelledBy,
    Change,
    ChangeKind,
    Reason,
    Status,
    Visit,
    differences,
)
from booking.domain.floor import Channel
from booking.domain.occupancy import Occupation
from booking.domain.overrides import Override, Rule
from booking.store.blocks import fill_gaps
from booking.store.days import Lost
from booking.store.guests import GUEST_COLUMNS, guest_of
from booking.store.sweeps import room_appeared
from booking.tables import ALLOCATIONS, BOOKING_CHANGES, BOOKINGS, GUESTS, MANAGE_TOKENS, VENUES
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.money import Money
from servicekit.paging import Page

_EVER = datetime.min.replace(tzinfo=UTC)
_id = sa.bindparam("id", type_=sa.Uuid)
_booking = sa.bindparam("booking", type_=sa.Uuid)

_SELECT = (
    sa.select(
        BOOKINGS,
        VENUES.c.time_zone,
        *GUEST_COLUMNS,
    )
    .join(VENUES, VENUES.c.id == BOOKINGS.c.venue_id)
    .join(GUESTS, GUESTS.c.id == BOOKINGS.c.guest_id)
)
_GET = _SELECT.where(BOOKINGS.c.id == _id)
_LOCK = _GET.with_for_update(of=BOOKINGS)
_PAGES = Keyset(
    _SELECT.where(
        BOOKINGS.c.venue_id == sa.bindparam("venue", type_=sa.Uuid),
        BOOKINGS.c.service_date == sa.bindparam("day", type_=sa.Date),
    ),
    BOOKINGS.c.start_at,
    BOOKINGS.c.id,
)
_OF_SERIES = _SELECT.where(BOOKINGS.c.series_id == sa.bindparam("series", type_=sa.Uuid)).order_by(
    BOOKINGS.c.series_date
)
_LOCK_OF_SERIES = (
    _OF_SERIES.where(BOOKINGS.c.series_date >= sa.bindparam("day", type_=sa.Date))
    .order_by(None)
    .order_by(BOOKINGS.c.id)
    .with_for_update(of=BOOKINGS)
)
_SAVE = sa.update(BOOKINGS).where(BOOKINGS.c.id == _booking)
_RELEASE = (
    sa.delete(ALLOCATIONS)
    .where(ALLOCATIONS.c.booking_id == _booking)
    .returning(
        ALLOCATIONS.c.venue_id, ALLOCATIONS.c.resource_id, ALLOCATIONS.c.start_at, ALLOCATIONS.c.end_at
    )
)
_KEEP = sa.update(ALLOCATIONS).where(ALLOCATIONS.c.booking_id == _booking).values(expires_at=None)
_OCCUPY = insert(ALLOCATIONS).on_conflict_do_nothing()
_CHANGES = (
    sa.select(BOOKING_CHANGES)
    .where(BOOKING_CHANGES.c.booking_id == _booking)
    .order_by(BOOKING_CHANGES.c.version)
)
_CHANGE_PAGES = Keyset(_CHANGES, BOOKING_CHANGES.c.version)
_FIND_TOKEN = sa.select(MANAGE_TOKENS.c.organization_id, MANAGE_TOKENS.c.booking_id).where(
    MANAGE_TOKENS.c.token_hash == sa.bindparam("hash", type_=sa.LargeBinary)
)
_NEWEST_REPEATED = (
    sa.select(MANAGE_TOKENS.c.token_hash)
    .where(MANAGE_TOKENS.c.booking_id == _booking, MANAGE_TOKENS.c.repeated)
    .order_by(MANAGE_TOKENS.c.created_at.desc(), MANAGE_TOKENS.c.token_hash)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_FORGET_REPEATED = sa.delete(MANAGE_TOKENS).where(
    MANAGE_TOKENS.c.booking_id == _booking,
    MANAGE_TOKENS.c.repeated,
    MANAGE_TOKENS.c.token_hash.not_in(_NEWEST_REPEATED),
)


async def get_booking(tx: Transaction, booking_id: UUID) -> Booking | None:
    """The tenant's booking as it was written; see `Booking.as_of`."""
    return _one((await tx.execute(_GET, {"id": booking_id})).mappings().one_or_none())


async def lock_booking(tx: Transaction, booking_id: UUID) -> Booking | None:
    """The same, and nobody else changes it until the end of `tx`. Lock its service day first."""
    return _one((await tx.execute(_LOCK, {"id": booking_id})).mappings().one_or_none())


async def page_of_bookings(
    tx: Transaction, venue_id: UUID, day: date, page: Page
) -> tuple[list[Booking], str]:
    """A page of a service day by start and id, and the token of the next."""
    rows, token = await _PAGES.read(tx, page, {"venue": venue_id, "day": day})
    return [_of(row) for row in rows], token


async def list_of_series(tx: Transaction, series_id: UUID) -> list[Booking]:
    """The bookings of a series, by the day of the occurrence, as they were written."""
    return [_of(row) for row in (await tx.execute(_OF_SERIES, {"series": series_id})).mappings()]


async def lock_of_series(tx: Transaction, series_id: UUID, day: date) -> list[Booking]:
    """Those from a day on, which nobody else changes until the end of `tx`. Lock their service days first."""
    found = (await tx.execute(_LOCK_OF_SERIES, {"series": series_id, "day": day})).mappings()
    return [_of(row) for row in found]


async def save_booking(
    tx: Transaction,
    booking: Booking,
    kind: ChangeKind,
    actor: Actor,
    *,
    before: Booking | None = None,
    reason: Reason = NO_REASON,
    override: Override | None = None,
) -> None:
    """Keeps a changed booking, and in its history who changed what and why."""
    visit, ending = booking.visit, booking.ending
    await tx.execute(
        _SAVE,
        {
            "booking": booking.id,
            "status": booking.status.value,
            "party_size": booking.party_size,
            "notes": booking.notes,
            "start_at": booking.start,
            "end_at": booking.end,
            "service_date": booking.service_date,
            "resource_ids": list(booking.resource_ids),
            "deposit_paid_at": booking.deposit_paid_at,
            "hold_expires_at": booking.hold_expires_at,
            "cancelled_by": booking.cancelled_by and booking.cancelled_by.value,
            "version": booking.version,
            "overridden": sorted(booking.overridden),
            "pinned": booking.pinned,
            "reason_code": ending.code,
            "reason": ending.text,
            "late_minutes": visit.late_minutes,
            "arrived_at": visit.arrived_at,
            "seated_at": visit.seated_at,
            "completed_at": visit.completed_at,
            "free_until": booking.kept_free_until,
            "price_amount": booking.price and booking.price.amount,
        },
    )
    changed = dict(differences(before, booking)) if before else {}
    if override:
        changed["overridden"] = sorted(override.rules)
    await tx.execute(
        sa.insert(BOOKING_CHANGES),
        {
            "organization_id": tx.organization,
            "booking_id": booking.id,
            "version": booking.version,
            "kind": kind.value,
            "actor": actor.kind.value,
            "user_id": actor.user,
            "reason_code": reason.code,
            "reason": override.reason if override else reason.text,
            "differences": changed,
            "start_at": booking.start,
        },
    )


async def occupy(tx: Transaction, booking: Booking, occupations: Iterable[Occupation]) -> None:
    """Takes what the engine chose for a booking: for a party that is there, from now on.

    Raises:
        Lost: somebody has it.
    """
    since = booking.room_from(tx.now)
    earliest = since if since > booking.start else _EVER
    # The engine counts in whole seconds.
    rest = timedelta(microseconds=booking.start.microsecond)
    times = [
        (
            each.resource_id,
            max(datetime.fromtimestamp(each.start, UTC) + rest, earliest),
            datetime.fromtimestamp(each.end, UTC) + rest,
        )
        for each in sorted(occupations)
    ]
    rows = [
        {
            "organization_id": tx.organization,
            "booking_id": booking.id,
            "resource_id": resource_id,
            "venue_id": booking.venue_id,
            "start_at": start,
            "end_at": end,
            "expires_at": booking.hold_expires_at,
        }
        for resource_id, start, end in times
        if start < end
    ]
    for row in rows:
        if not (await tx.execute(_OCCUPY, row)).rowcount:
            raise Lost


async def release(tx: Transaction, booking_id: UUID) -> None:
    """Frees everything that the booking occupies; where a block lies over it, the block takes it."""
    freed = (await tx.execute(_RELEASE, {"booking": booking_id})).all()
    if freed:
        await fill_gaps(tx, freed)
        await room_appeared(tx, freed)


async def keep_for_good(tx: Transaction, booking_id: UUID) -> None:
    """What was held does not run out any more."""
    await tx.execute(_KEEP, {"booking": booking_id})


async def list_changes(tx: Transaction, booking_id: UUID) -> list[Change]:
    """Everything that happened to a booking, oldest first."""
    return [_change(row) for row in (await tx.execute(_CHANGES, {"booking": booking_id})).mappings()]


async def page_of_changes(tx: Transaction, booking_id: UUID, page: Page) -> tuple[list[Change], str]:
    """A page of the same, and the token of the next."""
    rows, token = await _CHANGE_PAGES.read(tx, page, {"booking": booking_id})
    return [_change(row) for row in rows], token


async def insert_token(tx: Transaction, booking_id: UUID, token_hash: bytes) -> None:
    """A further link to the booking."""
    row = {"token_hash": token_hash, "organization_id": tx.organization, "booking_id": booking_id}
    await tx.execute(sa.insert(MANAGE_TOKENS), row)


async def insert_repeated_token(tx: Transaction, booking_id: UUID, token_hash: bytes, *, most: int) -> None:
    """A further link for a repeated answer about a locked booking; only the newest `most` of these go on."""
    row = {"token_hash": token_hash, "organization_id": tx.organization, "booking_id": booking_id}
    await tx.execute(sa.insert(MANAGE_TOKENS), row | {"repeated": True})
    await tx.execute(_FORGET_REPEATED, {"booking": booking_id, "most": most})


async def find_token(tx: Transaction, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """Organization and booking of any link of the platform. For platform transactions."""
    row = (await tx.execute(_FIND_TOKEN, {"hash": token_hash})).one_or_none()
    return None if row is None else (row.organization_id, row.booking_id)


def _change(row: sa.RowMapping) -> Change:
    return Change(
        version=row["version"],
        kind=ChangeKind(row["kind"]),
        actor=Actor(ActorKind(row["actor"]), row["user_id"]),
        at=row["changed_at"],
        reason=Reason(row["reason_code"], row["reason"]),
        differences=row["differences"],
    )


def _price_per_person(row: sa.RowMapping) -> Money | None:
    """Of each person; the program before this one, while both run, writes that of the party alone."""
    amount, total = row["price_per_person"], row["price_amount"]
    if amount is None and total is not None:
        amount = total // row["party_size"]
    return None if amount is None else Money(amount, row["price_currency"])


def _one(row: sa.RowMapping | None) -> Booking | None:
    return None if row is None else _of(row)


def _of(row: sa.RowMapping) -> Booking:
    amount = row["deposit_amount"]
    return Booking(
        id=row["id"],
        venue_id=row["venue_id"],
        time_zone=row["time_zone"],
        offering_id=row["offering_id"],
        guest=guest_of(row),
        status=Status(row["status"]),
        party_size=row["party_size"],
        start=row["start_at"],
        end=row["end_at"],
        service_date=row["service_date"],
        resource_ids=tuple(row["resource_ids"]),
        notes=row["notes"],
        deposit=None if amount is None else Money(amount, row["deposit_currency"]),
        free_cancellation_hours=row["free_cancellation_hours"],
        created_at=row["created_at"],
        hold_expires_at=row["hold_expires_at"],
        deposit_paid_at=row["deposit_paid_at"],
        cancelled_by=CancelledBy(row["cancelled_by"]) if row["cancelled_by"] else None,
        version=row["version"],
        price_per_person=_price_per_person(row),
        policy=row["policy"],
        grace_minutes=row["grace_minutes"],
        no_show_percent=row["no_show_percent"],
        overridden=frozenset(map(Rule, row["overridden"])),
        pinned=row["pinned"],
        ending=Reason(row["reason_code"], row["reason"]),
        visit=Visit(row["late_minutes"], row["arrived_at"], row["seated_at"], row["completed_at"]),
        channel=Channel(row["channel"]),
        area_id=row["area_id"],
        attributes=frozenset(row["attributes"]),
        series_id=row["series_id"],
        series_date=row["series_date"],
        kept_free_until=row["free_until"],
    )
