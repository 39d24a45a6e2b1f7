"""API keys and sandboxes. A tenant's transaction sees its own; knowing only a short id is a platform one."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa

from auth.domain.api_keys import ApiKey, RateClass, RevokeReason, Rules
from auth.domain.members import Organization
from auth.tables import API_KEYS, ORGANIZATIONS
from servicekit.database import Transaction

_MOMENT = sa.DateTime(timezone=True)
_organization = sa.bindparam("organization", type_=sa.Uuid)
_of_id = sa.and_(
    API_KEYS.c.organization_id == _organization, API_KEYS.c.id == sa.bindparam("key", type_=sa.Uuid)
)
_of_short_id = API_KEYS.c.short_id == sa.bindparam("short", type_=sa.Text)
_not_over = sa.and_(
    API_KEYS.c.revoked_at.is_(None),
    sa.or_(API_KEYS.c.expires_at.is_(None), API_KEYS.c.expires_at > sa.func.now()),
)

_INSERT = sa.insert(API_KEYS)
_LIST = (
    sa.select(API_KEYS)
    .where(API_KEYS.c.organization_id == _organization, API_KEYS.c.id < sa.bindparam("before", type_=sa.Uuid))
    .order_by(API_KEYS.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_COUNT = (
    sa.select(sa.func.count())
    .select_from(API_KEYS)
    .where(API_KEYS.c.organization_id == _organization, _not_over)
)
_COUNT_OF_MAKER = _COUNT.where(API_KEYS.c.created_by == sa.bindparam("maker", type_=sa.Uuid))
_LOCK = sa.select(API_KEYS).where(_of_id).with_for_update()
_FIND = sa.select(API_KEYS).where(_of_short_id)
_LOCK_BY_SHORT_ID = _FIND.with_for_update()
_SAVE = (
    sa.update(API_KEYS)
    .where(_of_id)
    .values(
        secret_hash=sa.bindparam("hash", type_=sa.LargeBinary),
        previous_hash=sa.bindparam("hash_before", type_=sa.LargeBinary),
        previous_until=sa.bindparam("until", type_=_MOMENT),
        revoked_at=sa.bindparam("ended", type_=_MOMENT),
        revoke_reason=sa.bindparam("why", type_=sa.Text),
        pinned_version=sa.bindparam("version", type_=sa.Text),
    )
)
# Of two first uses at the same time the one that comes second reads what the first one has kept.
_PIN = (
    sa.update(API_KEYS)
    .where(_of_id)
    .values(
        pinned_version=sa.func.coalesce(API_KEYS.c.pinned_version, sa.bindparam("version", type_=sa.Text))
    )
    .returning(API_KEYS.c.pinned_version)
)
# Waits for nobody: what another transaction holds is noted the next time.
_NOTE_USE = (
    sa.update(API_KEYS)
    .where(
        API_KEYS.c.id.in_(
            sa.select(API_KEYS.c.id)
            .where(
                _of_id,
                sa.or_(
                    API_KEYS.c.last_used_at.is_(None),
                    API_KEYS.c.last_used_at <= sa.func.now() - sa.text("interval '1 minute'"),
                ),
            )
            .with_for_update(skip_locked=True)
        )
    )
    .values(last_used_at=sa.func.now())
)
_FIND_SANDBOX = sa.select(ORGANIZATIONS.c.id).where(ORGANIZATIONS.c.sandbox_of == _organization)
_INSERT_SANDBOX = sa.insert(ORGANIZATIONS)


async def insert_key(tx: Transaction, key: ApiKey) -> None:
    """Keeps a new key."""
    values = asdict(key)
    rules = values.pop("rules")
    listed = {name: sorted(rules[name]) for name in ("permissions", "venues")}
    await tx.execute(_INSERT, values | rules | listed | {"networks": list(rules["networks"])})


async def list_keys(tx: Transaction, organization_id: UUID, *, before: UUID, most: int) -> list[ApiKey]:
    """The keys, those that are over among them, the newest first, from the one made before `before`."""
    values = {"organization": organization_id, "before": before, "most": most}
    return [_key(row) for row in (await tx.execute(_LIST, values)).mappings()]


async def count_keys(tx: Transaction, organization_id: UUID) -> int:
    """How many hold. True for as long as the organization's lock is held."""
    counted: int = (await tx.execute(_COUNT, {"organization": organization_id})).scalar_one()
    return counted


async def count_keys_of(tx: Transaction, organization_id: UUID, user_id: UUID) -> int:
    """How many of those that hold somebody has made."""
    asked = {"organization": organization_id, "maker": user_id}
    counted: int = (await tx.execute(_COUNT_OF_MAKER, asked)).scalar_one()
    return counted


async def lock_key(tx: Transaction, organization_id: UUID, key_id: UUID) -> ApiKey | None:
    """A key, which nobody else changes until the end of `tx`."""
    found = await tx.execute(_LOCK, {"organization": organization_id, "key": key_id})
    row = found.mappings().one_or_none()
    return _key(row) if row else None


async def find_key(tx: Transaction, short_id: str) -> ApiKey | None:
    """The key of a short id."""
    row = (await tx.execute(_FIND, {"short": short_id})).mappings().one_or_none()
    return _key(row) if row else None


async def lock_key_of(tx: Transaction, short_id: str) -> ApiKey | None:
    """The same, locked as by `lock_key`."""
    row = (await tx.execute(_LOCK_BY_SHORT_ID, {"short": short_id})).mappings().one_or_none()
    return _key(row) if row else None


async def save_key(tx: Transaction, key: ApiKey) -> None:
    """Keeps the new state of a locked key."""
    await tx.execute(
        _SAVE,
        {
            "organization": key.organization_id,
            "key": key.id,
            "hash": key.secret_hash,
            "hash_before": key.previous_hash,
            "until": key.previous_until,
            "ended": key.revoked_at,
            "why": key.revoke_reason,
            "version": key.pinned_version,
        },
    )


async def note_use(tx: Transaction, key: ApiKey) -> None:
    """Keeps that a key was used now, at most once a minute, without waiting for anybody."""
    await tx.execute(_NOTE_USE, {"organization": key.organization_id, "key": key.id})


async def pin_key(tx: Transaction, key: ApiKey, version: str) -> str:
    """Pins a key to a version unless it is pinned already; the version that it is pinned to from now on."""
    asked = {"organization": key.organization_id, "key": key.id, "version": version}
    pinned: str = (await tx.execute(_PIN, asked)).scalar_one()
    return pinned


async def find_sandbox(tx: Transaction, organization_id: UUID) -> UUID | None:
    """The sandbox of an organization. Platform transactions only."""
    found: UUID | None = (
        await tx.execute(_FIND_SANDBOX, {"organization": organization_id})
    ).scalar_one_or_none()
    return found


async def insert_sandbox(tx: Transaction, sandbox: Organization, *, of: UUID) -> None:
    """Makes the sandbox of an organization that is locked. Platform transactions only."""
    await tx.execute(
        _INSERT_SANDBOX,
        {"id": sandbox.id, "name": sandbox.name, "plan": sandbox.plan, "sandbox_of": of},
    )


def _key(row: sa.RowMapping) -> ApiKey:
    values = {str(name): value for name, value in row.items()}
    rules = Rules(
        name=values.pop("name"),
        permissions=frozenset(values.pop("permissions")),
        sandbox=values.pop("sandbox"),
        venues=frozenset(values.pop("venues")),
        networks=tuple(values.pop("networks")),
        daily_quota=values.pop("daily_quota"),
        rate_class=RateClass(values.pop("rate_class")),
        expires_at=values.pop("expires_at"),
    )
    why = values.pop("revoke_reason")
    return ApiKey(**values, rules=rules, revoke_reason=RevokeReason(why) if why else None)
