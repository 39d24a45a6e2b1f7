"""What auth itself keeps of a guest of an organization, and of an account: read, and the former deleted."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.tables import (
    API_KEYS,
    AUDIT_ENTRIES,
    IDENTITIES,
    INVITATIONS,
    KNOWN_DEVICES,
    MEMBERSHIPS,
    PASSKEYS,
    REMEMBERED_DEVICES,
    SESSIONS,
    TOTP_FACTORS,
    USERS,
)
from servicekit.database import Transaction

_SECRET = {
    "password_hash",
    "salt",
    "sealed_secret",
    "token_hash",
    "fingerprint",
    "secret_hash",
    "previous_hash",
}
_SECRET |= {"credential_id", "public_key", "hash", "last_counter"}
_user = sa.bindparam("user", type_=sa.Uuid)
_of_address = INVITATIONS.c.email == sa.bindparam("address", type_=sa.Text)
# What waits for an answer is no guest's: it runs out by itself, and is forgotten.
_over = sa.or_(
    INVITATIONS.c.accepted_at.is_not(None),
    INVITATIONS.c.revoked_at.is_not(None),
    INVITATIONS.c.expires_at <= sa.func.now(),
)
_DELETE_INVITATIONS = sa.delete(INVITATIONS).where(_of_address, _over)


def _shown(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(each for each in table.c if each.name not in _SECRET))


_READ_INVITATIONS = _shown(INVITATIONS).where(_of_address)
_READ_ACCOUNT = {
    "users": _shown(USERS).where(USERS.c.id == _user),
    "memberships": _shown(MEMBERSHIPS).where(MEMBERSHIPS.c.user_id == _user),
    "sessions": _shown(SESSIONS).where(SESSIONS.c.user_id == _user),
    "passkeys": _shown(PASSKEYS).where(PASSKEYS.c.user_id == _user),
    "totp_factors": _shown(TOTP_FACTORS).where(TOTP_FACTORS.c.user_id == _user),
    "known_devices": _shown(KNOWN_DEVICES).where(KNOWN_DEVICES.c.user_id == _user),
    "remembered_devices": _shown(REMEMBERED_DEVICES).where(REMEMBERED_DEVICES.c.user_id == _user),
    "identities": _shown(IDENTITIES).where(IDENTITIES.c.user_id == _user),
    "api_keys_made": _shown(API_KEYS).where(API_KEYS.c.created_by == _user),
    "audit_entries": _shown(AUDIT_ENTRIES).where(
        sa.or_(AUDIT_ENTRIES.c.actor_id == _user, AUDIT_ENTRIES.c.on_behalf_of == _user)
    ),
}


async def delete_guest(tx: Transaction, email: str) -> Mapping[str, int]:
    """Deletes the tenant's invitations to an address that are over; answers rows by table."""
    if not email:
        return {"invitations": 0}
    return {"invitations": (await tx.execute(_DELETE_INVITATIONS, {"address": email})).rowcount}


async def read_guest(tx: Transaction, email: str) -> Mapping[str, list[Mapping[str, Any]]]:
    """The tenant's invitations to an address."""
    return {"invitations": await _rows(tx, _READ_INVITATIONS, {"address": email}) if email else []}


async def read_account(tx: Transaction, user_id: UUID) -> Mapping[str, list[Mapping[str, Any]]]:
    """Everything that is kept of an account, without secrets and their hashes. For platform transactions."""
    return {name: await _rows(tx, query, {"user": user_id}) for name, query in _READ_ACCOUNT.items()}


async def _rows(tx: Transaction, query: sa.Executable, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await tx.execute(query, values)).mappings()]
