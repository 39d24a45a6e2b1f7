"""Entries of waitlists with their guests, the offers made to them, and the secrets of their links."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.waitlist import Ask, Entry, EntryStatus, Offer, Outcome
from booking.store.days import Lost
from booking.store.guests import GUEST_COLUMNS, guest_of, insert_guest
from booking.store.refusals import refusing
from booking.tables import (
    ALLOCATIONS,
    GUESTS,
    VENUES,
    WAITLIST_ENTRIES,
    WAITLIST_OFFERS,
    WAITLIST_TOKENS,
)
from servicekit.database import Transaction
from servicekit.paging import Page

_REFUSALS = {"waitlist_entries_one_of_contact": Lost, "waitlist_offers_one_pending": Lost}
_LONGEST = timedelta(days=14)
"""Between the first and the last day of an entry."""
_E = WAITLIST_ENTRIES.c
_entry = sa.bindparam("entry", type_=sa.Uuid)
_venue = sa.bindparam("venue", type_=sa.Uuid)
_first, _last = sa.bindparam("first", type_=sa.Date), sa.bindparam("last", type_=sa.Date)
_day = sa.bindparam("day", type_=sa.Date)
_size = sa.bindparam("size", type_=sa.Integer)
_since = sa.bindparam("since", type_=sa.Date)
_waiting = _E.status == EntryStatus.WAITING.value
_live = _E.status.in_([EntryStatus.WAITING.value, EntryStatus.OFFERED.value])

_SELECT = (
    sa.select(
        WAITLIST_ENTRIES,
        VENUES.c.time_zone,
        *GUEST_COLUMNS,
    )
    .join(VENUES, VENUES.c.id == _E.venue_id)
    .join(GUESTS, GUESTS.c.id == _E.guest_id)
)
_GET = _SELECT.where(_E.id == _entry)
_LOCK = _GET.with_for_update(of=WAITLIST_ENTRIES)
_OF_CONTACT = _SELECT.where(
    _E.venue_id == _venue,
    _E.contact == sa.bindparam("contact", type_=sa.LargeBinary),
    _live,
    _E.first_date >= _since,
    _E.first_date <= _last,
    _E.last_date >= _first,
).order_by(_E.id)
_LOCK_OF_CONTACT = _OF_CONTACT.with_for_update(of=WAITLIST_ENTRIES)
_OF_DAY = (
    _SELECT.where(
        ~_E.unproven,
        _E.venue_id == _venue,
        _E.first_date >= _since,
        _E.first_date <= _day,
        _E.last_date >= _day,
    )
    .order_by(_E.id)
    .limit(_size)
)
_WAITING = _OF_DAY.where(_waiting, _E.id > sa.bindparam("after", type_=sa.Uuid))
_RANGES = sa.select(_E.first_date, _E.last_date).where(
    _E.venue_id == _venue, _waiting, ~_E.unproven, _E.first_date <= _last, _E.last_date >= _first
).distinct()  # fmt: skip
_other = WAITLIST_ENTRIES.alias()
_BEFORE = sa.select(sa.func.count()).where(
    _other.c.venue_id == _E.venue_id,
    _other.c.status == EntryStatus.WAITING.value,
    ~_other.c.unproven,
    _other.c.id < _E.id,
    _other.c.first_date >= _E.first_date - sa.text("14"),
    _other.c.first_date <= _E.last_date,
    _other.c.last_date >= _E.first_date,
    _other.c.earliest <= _E.latest,
    _other.c.latest >= _E.earliest,
)
_POSITION = sa.select(1 + _BEFORE.correlate(WAITLIST_ENTRIES).scalar_subquery()).where(
    _E.id == _entry, _waiting
)
_SAVE = sa.update(WAITLIST_ENTRIES).where(_E.id == _entry)
_OFFERS = (
    sa.select(WAITLIST_OFFERS)
    .where(WAITLIST_OFFERS.c.entry_id == sa.any_(sa.bindparam("entries", type_=sa.ARRAY(sa.Uuid))))
    .order_by(WAITLIST_OFFERS.c.made_at, WAITLIST_OFFERS.c.booking_id)
)
_OFFER_OF = sa.select(WAITLIST_OFFERS).where(
    WAITLIST_OFFERS.c.booking_id == sa.bindparam("booking", type_=sa.Uuid)
)
_END_OFFER = (
    sa.update(WAITLIST_OFFERS)
    .where(WAITLIST_OFFERS.c.booking_id == sa.bindparam("booking", type_=sa.Uuid))
    .values(outcome=sa.bindparam("became", type_=sa.Text), ended_at=sa.func.now())
)
_HOLD_UNTIL = (
    sa.update(ALLOCATIONS)
    .where(ALLOCATIONS.c.booking_id == sa.bindparam("booking", type_=sa.Uuid))
    .values(expires_at=sa.bindparam("until", type_=sa.DateTime(timezone=True)))
)
_FORGET_TOKENS = sa.delete(WAITLIST_TOKENS).where(WAITLIST_TOKENS.c.entry_id == _entry)
_FIND_TOKEN = sa.select(WAITLIST_TOKENS.c.organization_id, WAITLIST_TOKENS.c.entry_id).where(
    WAITLIST_TOKENS.c.token_hash == sa.bindparam("hash", type_=sa.LargeBinary)
)


async def get_entry(tx: Transaction, entry_id: UUID) -> Entry | None:
    """The tenant's entry as it was written; see `Entry.as_of`."""
    return _one((await tx.execute(_GET, {"entry": entry_id})).mappings().one_or_none())


async def lock_entry(tx: Transaction, entry_id: UUID) -> Entry | None:
    """The same, and nobody else changes it until the end of `tx`. Lock service days first, bookings later."""
    return _one((await tx.execute(_LOCK, {"entry": entry_id})).mappings().one_or_none())


async def lock_of_contact(
    tx: Transaction, venue_id: UUID, contact: bytes, *, first: date, last: date
) -> list[Entry]:
    """The live entries of a contact that have some of the days, first come first, locked."""
    values = {"venue": venue_id, "contact": contact, "since": first - _LONGEST, "first": first, "last": last}
    return [_of(row) for row in (await tx.execute(_LOCK_OF_CONTACT, values)).mappings()]


async def find_of_contact(tx: Transaction, venue_id: UUID, contact: bytes, day: date) -> Entry | None:
    """The live entry of a contact for a service day, unlocked: there is one at most."""
    values = {"venue": venue_id, "contact": contact, "since": day - _LONGEST, "first": day, "last": day}
    return _one((await tx.execute(_OF_CONTACT, values)).mappings().one_or_none())


async def list_entries(
    tx: Transaction, venue_id: UUID, day: date, page: Page, *, include_ended: bool
) -> list[Entry]:
    """One more than a page of who wants a service day, first come first. The page's key is the id."""
    query = _OF_DAY if include_ended else _OF_DAY.where(_live)
    values: dict[str, Any] = {"venue": venue_id, "day": day, "since": day - _LONGEST, "size": page.size + 1}
    if page.after:
        query = query.where(_E.id > sa.bindparam("after", type_=sa.Uuid))
        values["after"] = UUID(page.after[0])
    return [_of(row) for row in (await tx.execute(query, values)).mappings()]


async def list_waiting(tx: Transaction, venue_id: UUID, day: date, *, after: UUID, most: int) -> list[Entry]:
    """The first `most` who wait for a service day behind the entry `after`, first come first."""
    values = {"venue": venue_id, "day": day, "since": day - _LONGEST, "after": after, "size": most}
    return [_of(row) for row in (await tx.execute(_WAITING, values)).mappings()]


async def list_days(tx: Transaction, venue_id: UUID, *, first: date, last: date) -> list[date]:
    """The service days from `first` to `last` that anybody waits for."""
    rows = (await tx.execute(_RANGES, {"venue": venue_id, "first": first, "last": last})).all()
    days = {
        row.first_date + timedelta(days=number)
        for row in rows
        for number in range((row.last_date - row.first_date).days + 1)
    }
    return sorted(day for day in days if first <= day <= last)


async def position(tx: Transaction, entry_id: UUID) -> int:
    """1 and how many wait longer for a start that would suit this entry too; 0 when it does not wait."""
    return (await tx.execute(_POSITION, {"entry": entry_id})).scalar_one_or_none() or 0


async def insert_entry(tx: Transaction, entry: Entry) -> None:
    """A new entry with its guest. Raises Lost when the contact has joined for one of the days meanwhile."""
    ask = entry.ask
    await insert_guest(tx, ask.guest, now=entry.asked_at)
    fixed = {
        "organization_id": tx.organization,
        "id": entry.id,
        "venue_id": entry.venue_id,
        "guest_id": ask.guest.id,
        "created_at": entry.created_at,
    }
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(WAITLIST_ENTRIES), fixed | _values(entry))


async def save_entry(tx: Transaction, entry: Entry) -> None:
    """Keeps a changed entry. Raises Lost when the contact has joined for one of the days meanwhile."""
    with refusing(_REFUSALS):
        await tx.execute(_SAVE, {"entry": entry.id} | _values(entry))


async def insert_offer(tx: Transaction, offer: Offer) -> None:
    """A further offer. Raises Lost when the entry has one that is pending."""
    row = {
        "organization_id": tx.organization,
        "booking_id": offer.booking_id,
        "entry_id": offer.entry_id,
        "start_at": offer.start,
        "expires_at": offer.expires_at,
        "outcome": offer.outcome.value,
    }
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(WAITLIST_OFFERS), row)


async def list_offers(tx: Transaction, entry_ids: Collection[UUID]) -> list[Offer]:
    """Every offer made to some entries, oldest first."""
    return [_offer(row) for row in await tx.execute(_OFFERS, {"entries": list(entry_ids)})]


async def get_offer(tx: Transaction, booking_id: UUID) -> Offer | None:
    """The offer that a booking is."""
    row = (await tx.execute(_OFFER_OF, {"booking": booking_id})).one_or_none()
    return None if row is None else _offer(row)


async def end_offer(tx: Transaction, booking_id: UUID, outcome: Outcome) -> None:
    """Says what became of an offer."""
    await tx.execute(_END_OFFER, {"booking": booking_id, "became": outcome.value})


async def hold_until(tx: Transaction, booking_id: UUID, until: datetime | None) -> None:
    """What a booking occupies runs out at another time; None for never."""
    await tx.execute(_HOLD_UNTIL, {"booking": booking_id, "until": until})


async def insert_token(tx: Transaction, entry_id: UUID, token_hash: bytes) -> None:
    """A further link to the entry."""
    row = {"token_hash": token_hash, "organization_id": tx.organization, "entry_id": entry_id}
    await tx.execute(sa.insert(WAITLIST_TOKENS), row)


async def forget_tokens(tx: Transaction, entry_id: UUID) -> None:
    """Makes every link to the entry void."""
    await tx.execute(_FORGET_TOKENS, {"entry": entry_id})


async def find_token(tx: Transaction, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """Organization and entry of any link of the platform. For platform transactions."""
    row = (await tx.execute(_FIND_TOKEN, {"hash": token_hash})).one_or_none()
    return None if row is None else (row.organization_id, row.entry_id)


def _values(entry: Entry) -> dict[str, Any]:
    ask = entry.ask
    return {
        "offering_id": ask.offering_id,
        "contact": entry.id.bytes if entry.unproven else ask.contact,
        "unproven": entry.unproven,
        "status": entry.status.value,
        "party_size": ask.party_size,
        "best_date": ask.best_date,
        "flexible_days": ask.flexible_days,
        "first_date": ask.first_date,
        "last_date": ask.last_date,
        "earliest": ask.earliest,
        "latest": ask.latest,
        "area_id": ask.area_id,
        "attributes": sorted(ask.attributes),
        "notes": ask.notes,
        "booking_id": ask.booking_id,
        "instead_of_booking": ask.instead,
        "asked_at": entry.asked_at,
        "link_mailed_at": entry.link_mailed_at,
        "version": entry.version,
    }


def _one(row: sa.RowMapping | None) -> Entry | None:
    return None if row is None else _of(row)


def _of(row: sa.RowMapping) -> Entry:
    ask = Ask(
        offering_id=row["offering_id"],
        party_size=row["party_size"],
        guest=guest_of(row),
        best_date=row["best_date"],
        flexible_days=row["flexible_days"],
        earliest=row["earliest"],
        latest=row["latest"],
        notes=row["notes"],
        booking_id=row["booking_id"],
        instead=row["instead_of_booking"],
        area_id=row["area_id"],
        attributes=frozenset(row["attributes"]),
    )
    return Entry(
        id=row["id"],
        venue_id=row["venue_id"],
        time_zone=row["time_zone"],
        ask=ask,
        status=EntryStatus(row["status"]),
        created_at=row["created_at"],
        asked_at=row["asked_at"],
        version=row["version"],
        unproven=row["unproven"],
        link_mailed_at=row["link_mailed_at"],
    )


def _offer(row: sa.Row[Any]) -> Offer:
    return Offer(
        row.entry_id,
        row.booking_id,
        row.start_at,
        row.expires_at,
        Outcome(row.outcome),
        row.made_at,
        row.ended_at,
    )
