"""Committing to a plan: a booking and all that is written with it, in one statement, or nothing."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from booking.domain.bookings import Actor, Booking, Fact
from booking.domain.occupancy import Occupation
from booking.domain.overrides import Override
from booking.store.days import Days, Lost
from booking.store.guests import preferences_document
from booking.store.statements import compiled, parameters
from booking.store.versions import forget
from servicekit import idempotency, ids, telemetry
from servicekit.database import Database, Transaction

_LOST = "CB001"
_ABSENT: tuple[object, ...] = (None, "", [], {})
_MOMENT = sa.DateTime(timezone=True)

_COMMIT = sa.select(
    sa.func.commit_booking(
        *parameters(
            guarded=sa.Boolean,
            organization=sa.Uuid,
            key=sa.Text,
            fingerprint=sa.LargeBinary,
            venue=sa.Uuid,
            venue_version=sa.BigInteger,
            date=sa.Date,
            day_version=sa.BigInteger,
            booking=sa.Uuid,
            offering=sa.Uuid,
            status=sa.Text,
            party=sa.Integer,
            start=_MOMENT,
            end=_MOMENT,
            resources=sa.ARRAY(sa.Uuid),
            notes=sa.Text,
            deposit=sa.BigInteger,
            currency=sa.Text,
            free_hours=sa.Integer,
            created_at=_MOMENT,
            hold_expires_at=_MOMENT,
            guest=sa.Uuid,
            name=sa.Text,
            email=sa.Text,
            phone=sa.Text,
            language=sa.Text,
            token_hash=sa.LargeBinary,
            actor=sa.Text,
            user=sa.Uuid,
            event=sa.Uuid,
            topic=sa.Text,
            type=sa.Text,
            payload=sa.LargeBinary,
            traceparent=sa.Text,
            timer=sa.Uuid,
            timer_kind=sa.Text,
            timer_due=_MOMENT,
            more=JSONB,
        ),
        type_=sa.Boolean,
    )
)


_BARE_COMMIT, _COMMIT_ORDER = compiled(_COMMIT)


@dataclass(frozen=True, slots=True)
class Draft:
    """A planned booking with everything that is written with it."""

    booking: Booking
    occupations: tuple[Occupation, ...]
    """What it occupies; nothing for a request that keeps no room."""
    actor: Actor
    token_hash: bytes
    fact: Fact
    timer: tuple[str, datetime] | None
    """Kind and due time of the timer that ends a hold, a request, or the wait for the guest."""
    override: Override | None = None


async def commit_booking(
    db: Database, organization: UUID, draft: Draft, days: Days, *, key: idempotency.Key | None, guarded: bool
) -> None:
    """Writes a planned booking in one round trip, all of it or nothing.

    Raises:
        Lost: the day or the venue has changed since `days` was read, or the resources are taken.
    """
    values = _commit_values(organization, draft, days, key, guarded=guarded)
    values["more"] = json.dumps(values["more"])
    async with db.driver() as connection:
        try:
            done = await connection.fetchval(_BARE_COMMIT, *(values[name] for name in _COMMIT_ORDER))
        except asyncpg.PostgresError as error:
            if error.sqlstate == _LOST:
                raise Lost from error
            raise
        finally:
            forget(organization)
    if not done:
        raise Lost


async def commit_locked_booking(
    tx: Transaction, draft: Draft, days: Days, *, key: idempotency.Key | None, guarded: bool = True
) -> None:
    """The same inside a transaction that has locked the day. Raises Lost for it to roll back."""
    assert tx.organization is not None  # noqa: S101
    values = _commit_values(tx.organization, draft, days, key, guarded=guarded)
    try:
        done = (await tx.execute(_COMMIT, values)).scalar_one()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == _LOST:
            raise Lost from error
        raise
    if not done:
        raise Lost


def _commit_values(
    organization: UUID, draft: Draft, days: Days, key: idempotency.Key | None, *, guarded: bool
) -> dict[str, Any]:
    booking, guest, fact = draft.booking, draft.booking.guest, draft.fact
    timer_kind, timer_due = draft.timer or (None, None)
    return {
        "guarded": guarded,
        "organization": organization,
        "key": key.text if key else None,
        "fingerprint": key.fingerprint if key else None,
        "venue": booking.venue_id,
        "venue_version": days.plan.version,
        "date": booking.service_date,
        "day_version": days.version(booking.service_date),
        "booking": booking.id,
        "offering": booking.offering_id,
        "status": booking.status.value,
        "party": booking.party_size,
        "start": booking.start,
        "end": booking.end,
        "resources": list(booking.resource_ids),
        "notes": booking.notes,
        "deposit": booking.deposit.amount if booking.deposit else None,
        "currency": booking.deposit.currency if booking.deposit else None,
        "free_hours": booking.free_cancellation_hours,
        "created_at": booking.created_at,
        "hold_expires_at": booking.hold_expires_at,
        "guest": guest.id,
        "name": guest.name,
        "email": guest.email,
        "phone": guest.phone,
        "language": guest.language,
        "token_hash": draft.token_hash,
        "actor": draft.actor.kind.value,
        "user": draft.actor.user,
        "event": fact.id,
        "topic": fact.topic,
        "type": fact.type,
        "payload": fact.payload,
        "traceparent": telemetry.header(),
        "timer": ids.new() if timer_due else None,
        "timer_kind": timer_kind,
        "timer_due": timer_due,
        "more": _more(draft),
    }


def _occupations(draft: Draft) -> list[tuple[str, int, int]]:
    """What is occupied for another time than the stay; nothing when all of it is just for that."""
    stay = int(draft.booking.start.timestamp()), int(draft.booking.end.timestamp())
    if all((each.start, each.end) == stay for each in draft.occupations):
        return []
    return [(str(each.resource_id), each.start, each.end) for each in draft.occupations]


def _more(draft: Draft) -> dict[str, Any]:
    """What not every booking has; absent stands for nothing."""
    booking, told, override = draft.booking, draft.booking.guest.preferences, draft.override
    more = {
        "preferences": preferences_document(told),
        "marketing_consent": told.marketing_consent,
        "price": booking.price.amount if booking.price else None,
        "price_per_person": booking.price_per_person.amount if booking.price_per_person else None,
        "price_currency": booking.price.currency if booking.price else None,
        "policy": booking.policy,
        "grace_minutes": booking.grace_minutes,
        "no_show_percent": booking.no_show_percent,
        "pinned": booking.pinned,
        "overridden": sorted(booking.overridden),
        "occupations": _occupations(draft),
        "channel": booking.channel.value,
        "area": str(booking.area_id) if booking.area_id else None,
        "attributes": sorted(booking.attributes),
        "reason": override.reason if override else "",
        "differences": {"overridden": sorted(override.rules)} if override else {},
    }
    return {name: value for name, value in more.items() if value is not False and value not in _ABSENT}
