"""What booking keeps of a person: found by address, or number and name; made nobody's, and read for them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import Status
from booking.domain.numbers import of_name
from booking.domain.waitlist import LIVE
from booking.tables import (
    BLOCKS,
    BOOKING_CHANGES,
    BOOKINGS,
    GUESTS,
    MANAGE_TOKENS,
    SERIES,
    WAITLIST_ENTRIES,
    WAITLIST_OFFERS,
    WAITLIST_TOKENS,
)
from servicekit.database import Transaction

_TO_COME = [
    each.value for each in (Status.REQUESTED, Status.HELD, Status.CONFIRMED, Status.ARRIVED, Status.SEATED)
]
_IDS = sa.ARRAY(sa.Uuid)
_guests = sa.any_(sa.bindparam("guests", type_=_IDS))
_bookings = sa.any_(sa.bindparam("bookings", type_=_IDS))
_entries = sa.any_(sa.bindparam("entries", type_=_IDS))
_user = sa.bindparam("user", type_=sa.Uuid)

# By a function of the column, which row-level security lets into no index: it reads the tenant's guests, and
# nobody waits for it. An index would cost each booking more than all these questions together.
_FIND = sa.select(GUESTS.c.id).where(
    sa.func.lower(GUESTS.c.email) == sa.func.lower(sa.bindparam("email", type_=sa.Text))
)
_of_number = GUESTS.c.phone == sa.bindparam("phone", type_=sa.Text)
_FIND_OF_NUMBER = sa.select(GUESTS.c.id, GUESTS.c.name).where(_of_number)
_COUNT_BY_NAME = (
    sa.select(GUESTS.c.name, sa.func.count(BOOKINGS.c.id).label("bookings"))
    .select_from(
        GUESTS.outerjoin(
            BOOKINGS,
            sa.and_(
                BOOKINGS.c.organization_id == GUESTS.c.organization_id, BOOKINGS.c.guest_id == GUESTS.c.id
            ),
        )
    )
    .where(_of_number)
    .group_by(GUESTS.c.name)
)
_BOOKINGS_OF = sa.select(BOOKINGS.c.id).where(BOOKINGS.c.guest_id == _guests).order_by(BOOKINGS.c.id)
# Whoever changes one of them holds it, and writes why into its history: waited for.
_LOCK_BOOKINGS_OF = _BOOKINGS_OF.with_for_update()
_BOOKINGS_TO_COME = sa.select(BOOKINGS.c.id, BOOKINGS.c.guest_id).where(
    BOOKINGS.c.guest_id == _guests, BOOKINGS.c.status.in_(_TO_COME), BOOKINGS.c.end_at > sa.func.now()
).order_by(BOOKINGS.c.id)  # fmt: skip
_ENTRIES_OF = sa.select(WAITLIST_ENTRIES.c.id).where(WAITLIST_ENTRIES.c.guest_id == _guests)
_WAITING_OF = _ENTRIES_OF.where(WAITLIST_ENTRIES.c.status.in_([each.value for each in LIVE]))

_FORGET_GUESTS = (
    sa.update(GUESTS)
    .where(GUESTS.c.id == _guests)
    .values(name="", email="", phone="", preferences={}, marketing_consent_at=None)
)
_FORGET_WORDS = (
    sa.update(BOOKINGS)
    .where(BOOKINGS.c.id == _bookings, sa.or_(BOOKINGS.c.notes != "", BOOKINGS.c.reason != ""))
    .values(notes="", reason="")
)
_FORGET_REASONS = (
    sa.update(BOOKING_CHANGES)
    .where(BOOKING_CHANGES.c.booking_id == _bookings, BOOKING_CHANGES.c.reason != "")
    .values(reason="")
)
_FORGET_SERIES = sa.update(SERIES).where(SERIES.c.guest_id == _guests, SERIES.c.notes != "").values(notes="")
# A contact that is nobody's: what the entry of somebody unproven has.
_FORGET_ENTRIES = (
    sa.update(WAITLIST_ENTRIES)
    .where(WAITLIST_ENTRIES.c.guest_id == _guests)
    .values(notes="", contact=sa.func.uuid_send(WAITLIST_ENTRIES.c.id))
)
_END_LINKS = sa.delete(MANAGE_TOKENS).where(MANAGE_TOKENS.c.booking_id == _bookings)
_END_ENTRY_LINKS = sa.delete(WAITLIST_TOKENS).where(WAITLIST_TOKENS.c.entry_id == _entries)

_READ_GUESTS = sa.select(GUESTS).where(GUESTS.c.id == _guests).order_by(GUESTS.c.id)
_READ_BOOKINGS = sa.select(BOOKINGS).where(BOOKINGS.c.guest_id == _guests).order_by(BOOKINGS.c.id)
# Which of the staff it was, is not the guest's.
_READ_CHANGES = (
    sa.select(*(each for each in BOOKING_CHANGES.c if each is not BOOKING_CHANGES.c.user_id))
    .where(BOOKING_CHANGES.c.booking_id == _bookings)
    .order_by(BOOKING_CHANGES.c.booking_id, BOOKING_CHANGES.c.version)
)
_READ_SERIES = sa.select(SERIES).where(SERIES.c.guest_id == _guests).order_by(SERIES.c.id)
_READ_ENTRIES = (
    sa.select(*(each for each in WAITLIST_ENTRIES.c if each is not WAITLIST_ENTRIES.c.contact))
    .where(WAITLIST_ENTRIES.c.guest_id == _guests)
    .order_by(WAITLIST_ENTRIES.c.id)
)
_READ_OFFERS = sa.select(WAITLIST_OFFERS).where(WAITLIST_OFFERS.c.entry_id == _entries)
# What follows from the rows, such as how often somebody did not come.
_READ_OUTCOMES = (
    sa.select(BOOKINGS.c.status, sa.func.count().label("bookings"))
    .where(BOOKINGS.c.guest_id == _guests)
    .group_by(BOOKINGS.c.status)
    .order_by(BOOKINGS.c.status)
)
# What was done, and when. Words about guests and tables are the organization's, which they may have left.
_READ_CHANGES_BY = (
    sa.select(
        BOOKING_CHANGES.c.organization_id,
        BOOKING_CHANGES.c.booking_id,
        BOOKING_CHANGES.c.kind,
        BOOKING_CHANGES.c.changed_at,
    )
    .where(BOOKING_CHANGES.c.user_id == _user)
    .order_by(BOOKING_CHANGES.c.changed_at)
)
_READ_BLOCKS_BY = (
    sa.select(BLOCKS.c.organization_id, BLOCKS.c.id, BLOCKS.c.created_at)
    .where(BLOCKS.c.created_by == _user)
    .order_by(BLOCKS.c.id)
)


async def find_guests(tx: Transaction, *, email: str, phone: str, name: str) -> list[UUID]:
    """The tenant's guests who have this address, however it is written, or this number by this name.

    "" is nobody's address, and a number without a name names nobody.
    """
    found: list[UUID] = []
    if email.strip():
        found += (await tx.execute(_FIND, {"email": email.strip()})).scalars()
    if phone and name.strip():
        rows = await tx.execute(_FIND_OF_NUMBER, {"phone": phone})
        found += of_name({row.id: row.name for row in rows}, name)
    return found


async def count_by_name(tx: Transaction, phone: str) -> Mapping[str, int]:
    """The names that the tenant's guests with a number have as they are written, and the bookings of each."""
    rows = await tx.execute(_COUNT_BY_NAME, {"phone": phone})
    return {row.name: row.bookings for row in rows}


async def list_bookings(tx: Transaction, guests: Sequence[UUID]) -> list[UUID]:
    """Every booking of some guests, whatever became of it."""
    return list((await tx.execute(_BOOKINGS_OF, {"guests": guests})).scalars())


async def list_to_come(tx: Transaction, guests: Sequence[UUID]) -> Mapping[UUID, UUID]:
    """The bookings of some guests that are not over, with the guest of each."""
    return {row.id: row.guest_id for row in await tx.execute(_BOOKINGS_TO_COME, {"guests": guests})}


async def list_entries(tx: Transaction, guests: Sequence[UUID]) -> list[UUID]:
    """Every entry of a waitlist of some guests."""
    return list((await tx.execute(_ENTRIES_OF, {"guests": guests})).scalars())


async def list_waiting(tx: Transaction, guests: Sequence[UUID]) -> list[UUID]:
    """Their entries that wait, or are offered something."""
    return list((await tx.execute(_WAITING_OF, {"guests": guests})).scalars())


async def anonymise_guests(tx: Transaction, guests: Sequence[UUID]) -> Mapping[str, int]:
    """Makes guests nobody: names, addresses, wishes and whatever anybody wrote about them go, links end.

    What was booked, when, for how many and for how much stays. End the entries that wait first: one without
    an address is offered room for nobody. The same again changes nothing more. Returns rows by table.
    """
    bookings = list((await tx.execute(_LOCK_BOOKINGS_OF, {"guests": guests})).scalars())
    entries = await list_entries(tx, guests)
    by_guest, by_booking, by_entry = {"guests": guests}, {"bookings": bookings}, {"entries": entries}
    return {
        **await forget_visits(tx, guests, bookings),
        "series": (await tx.execute(_FORGET_SERIES, by_guest)).rowcount,
        "waitlist_entries": (await tx.execute(_FORGET_ENTRIES, by_guest)).rowcount,
        "manage_tokens": (await tx.execute(_END_LINKS, by_booking)).rowcount,
        "waitlist_tokens": (await tx.execute(_END_ENTRY_LINKS, by_entry)).rowcount,
    }


async def forget_visits(
    tx: Transaction, guests: Sequence[UUID], bookings: Sequence[UUID]
) -> Mapping[str, int]:
    """Makes guests nobody, and takes the words out of bookings that are known to be theirs. Rows by table."""
    by_booking = {"bookings": bookings}
    return {
        "guests": (await tx.execute(_FORGET_GUESTS, {"guests": guests})).rowcount,
        "bookings": (await tx.execute(_FORGET_WORDS, by_booking)).rowcount,
        "booking_changes": (await tx.execute(_FORGET_REASONS, by_booking)).rowcount,
    }


async def read_guests(tx: Transaction, guests: Sequence[UUID]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Everything that is kept of some guests, row by row: for themselves. Hashes of secrets are left out."""
    by_guest = {"guests": guests}
    by_booking = {"bookings": await list_bookings(tx, guests)}
    entries = {"entries": await list_entries(tx, guests)}
    return {
        "guests": await _rows(tx, _READ_GUESTS, by_guest),
        "bookings": await _rows(tx, _READ_BOOKINGS, by_guest),
        "booking_changes": await _rows(tx, _READ_CHANGES, by_booking),
        "series": await _rows(tx, _READ_SERIES, by_guest),
        "waitlist_entries": await _rows(tx, _READ_ENTRIES, by_guest),
        "waitlist_offers": await _rows(tx, _READ_OFFERS, entries),
        "bookings_by_outcome": await _rows(tx, _READ_OUTCOMES, by_guest),
    }


async def read_user(tx: Transaction, user_id: UUID) -> Mapping[str, list[Mapping[str, Any]]]:
    """What a member did here, in all organizations: ids and dates. For platform transactions."""
    by_user = {"user": user_id}
    return {
        "booking_changes": await _rows(tx, _READ_CHANGES_BY, by_user),
        "blocks": await _rows(tx, _READ_BLOCKS_BY, by_user),
    }


async def _rows(tx: Transaction, query: sa.Executable, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await tx.execute(query, values)).mappings()]
