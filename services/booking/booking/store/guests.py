"""People: the one place of their personal data, which bookings, series and waiting have a key to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from booking.domain.bookings import Guest, Preferences, Wants
from booking.tables import GUESTS
from servicekit.database import Transaction

GUEST_COLUMNS = (
    GUESTS.c.name.label("guest_name"),
    GUESTS.c.email.label("guest_email"),
    GUESTS.c.phone.label("guest_phone"),
    GUESTS.c.language.label("guest_language"),
    GUESTS.c.preferences.label("guest_preferences"),
    GUESTS.c.marketing_consent_at.is_not(None).label("guest_consented"),
)
"""For a query that joins `guests` to something with a `guest_id`; `guest_of` reads them."""

_SAVE = sa.update(GUESTS).where(GUESTS.c.id == sa.bindparam("guest", type_=sa.Uuid))


def guest_of(row: sa.RowMapping) -> Guest:
    """The guest of a row with `guest_id` and GUEST_COLUMNS."""
    return Guest(
        row["guest_id"],
        row["guest_name"],
        row["guest_email"],
        row["guest_phone"],
        row["guest_language"],
        _preferences(row["guest_preferences"], marketing_consent=row["guest_consented"]),
    )


async def insert_guest(tx: Transaction, guest: Guest, *, now: datetime) -> None:
    """Somebody new. Consent counts from `now`."""
    row = {"organization_id": tx.organization, "id": guest.id, **_values(guest, now)}
    await tx.execute(sa.insert(GUESTS), row)


async def save_guest(tx: Transaction, guest: Guest, *, now: datetime) -> None:
    """What a guest told about themselves anew. Consent counts from `now`."""
    await tx.execute(_SAVE, {"guest": guest.id, **_values(guest, now)})


def preferences_document(preferences: Preferences) -> dict[str, Any]:
    """What a guest told, without what they did not, as it is kept."""
    told: dict[str, Any] = {}
    if preferences.dietary != Wants():
        told["dietary"] = [list(preferences.dietary.words), preferences.dietary.note]
    if preferences.accessibility != Wants():
        told["accessibility"] = [list(preferences.accessibility.words), preferences.accessibility.note]
    if preferences.occasion:
        told["occasion"] = preferences.occasion
    return told


def _values(guest: Guest, now: datetime) -> dict[str, Any]:
    return {
        "name": guest.name,
        "email": guest.email,
        "phone": guest.phone,
        "language": guest.language,
        "preferences": preferences_document(guest.preferences),
        "marketing_consent_at": now if guest.preferences.marketing_consent else None,
    }


def _preferences(document: Mapping[str, Any], *, marketing_consent: bool) -> Preferences:
    return Preferences(
        dietary=_wants(document.get("dietary")),
        accessibility=_wants(document.get("accessibility")),
        occasion=document.get("occasion", ""),
        marketing_consent=marketing_consent,
    )


def _wants(document: list[Any] | None) -> Wants:
    return Wants(tuple(document[0]), document[1]) if document else Wants()
