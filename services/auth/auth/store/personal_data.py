"""What auth itself keeps of a guest of an organization, and of an account: read, and the former deleted."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.domain.audit import PLATFORM_CHAIN
from auth.tables import (
    ACCOUNT_MAILS,
    API_KEYS,
    AUDIT_ENTRIES,
    IDENTITIES,
    INVITATIONS,
    KNOWN_DEVICES,
    MEMBERSHIPS,
    PASSKEYS,
    PRIVACY_REQUESTS,
    RECOVERY_CODES,
    REMEMBERED_DEVICES,
    REMOVALS,
    SCIM_USERS,
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
_SECRET |= {"credential_id", "public_key", "hash", "last_counter", "code_hash"}
_SECRET |= {"sealed_key", "sealed_subject", "subject_hash"}
_OTHERS = {"invited_by"}
"""Which of an organization's people it was, is theirs."""
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
    return sa.select(*(each for each in table.c if each.name not in _SECRET | _OTHERS))


def _bare(table: sa.Table, *shown: str) -> sa.Select[Any]:
    return sa.select(*(table.c[each] for each in ("organization_id", "id", *shown)))


_belongs_to = sa.select(MEMBERSHIPS.c.organization_id).where(MEMBERSHIPS.c.user_id == _user)
_made = API_KEYS.c.created_by == _user
_key_of_own = API_KEYS.c.organization_id.in_(_belongs_to)
_acted = sa.or_(AUDIT_ENTRIES.c.actor_id == _user, AUDIT_ENTRIES.c.on_behalf_of == _user)
_entry_of_own = sa.or_(
    AUDIT_ENTRIES.c.organization_id == PLATFORM_CHAIN, AUDIT_ENTRIES.c.organization_id.in_(_belongs_to)
)
_own_address = sa.select(USERS.c.email).where(USERS.c.id == _user).scalar_subquery()


_READ_INVITATIONS = _shown(INVITATIONS).where(_of_address)
READ_ACCOUNT = {
    "users": _shown(USERS).where(USERS.c.id == _user),
    "memberships": _shown(MEMBERSHIPS).where(MEMBERSHIPS.c.user_id == _user),
    "removals": _shown(REMOVALS).where(REMOVALS.c.user_id == _user),
    "sessions": _shown(SESSIONS).where(SESSIONS.c.user_id == _user),
    "passkeys": _shown(PASSKEYS).where(PASSKEYS.c.user_id == _user),
    "totp_factors": _shown(TOTP_FACTORS).where(TOTP_FACTORS.c.user_id == _user),
    "known_devices": _shown(KNOWN_DEVICES).where(KNOWN_DEVICES.c.user_id == _user),
    "remembered_devices": _shown(REMEMBERED_DEVICES).where(REMEMBERED_DEVICES.c.user_id == _user),
    "identities": _shown(IDENTITIES).where(IDENTITIES.c.user_id == _user),
    "recovery_codes": _shown(RECOVERY_CODES).where(RECOVERY_CODES.c.user_id == _user),
    "account_mails": _shown(ACCOUNT_MAILS).where(
        sa.or_(ACCOUNT_MAILS.c.user_id == _user, ACCOUNT_MAILS.c.email == _own_address)
    ),
    "invitations": _shown(INVITATIONS).where(
        sa.or_(INVITATIONS.c.email == _own_address, INVITATIONS.c.accepted_by == _user)
    ),
    "scim_users": _shown(SCIM_USERS).where(SCIM_USERS.c.user_id == _user),
    "privacy_requests": _shown(PRIVACY_REQUESTS).where(
        sa.or_(PRIVACY_REQUESTS.c.user_id == _user, PRIVACY_REQUESTS.c.requested_by == _user)
    ),
    "api_keys_made": _shown(API_KEYS).where(_made, _key_of_own),
    "audit_entries": _shown(AUDIT_ENTRIES).where(_acted, _entry_of_own),
    # Whoever left an organization hears nothing of it any more but what they did themselves, and when.
    "api_keys_made_before": _bare(API_KEYS, "created_at").where(_made, ~_key_of_own),
    "audit_entries_before": _bare(AUDIT_ENTRIES, "at", "action", "address").where(
        AUDIT_ENTRIES.c.actor_id == _user, ~_entry_of_own
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
    return {name: await _rows(tx, query, {"user": user_id}) for name, query in READ_ACCOUNT.items()}


async def _rows(tx: Transaction, query: sa.Executable, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await tx.execute(query, values)).mappings()]
