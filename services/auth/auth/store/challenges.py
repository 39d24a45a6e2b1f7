"""Challenges that wait for an answer, and remembered devices. Platform transactions only."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa

from auth.domain.challenges import MOST_DEVICES, Challenge, Purpose, RememberedDevice
from auth.tables import CHALLENGES, REMEMBERED_DEVICES
from servicekit.database import Transaction
from servicekit.purging import deletion, sweep

_user = sa.bindparam("user", type_=sa.Uuid)
_hashed = sa.bindparam("hashed", type_=sa.LargeBinary)
_awaited = sa.and_(
    CHALLENGES.c.token_hash == _hashed,
    CHALLENGES.c.purpose == sa.bindparam("what_for", type_=sa.Text),
    CHALLENGES.c.expires_at > sa.func.now(),
)
_device_holds = REMEMBERED_DEVICES.c.expires_at > sa.func.now()

_SWEEP = deletion(CHALLENGES, CHALLENGES.c.expires_at <= sa.func.now(), oldest=CHALLENGES.c.expires_at)
_INSERT = sa.insert(CHALLENGES)
_LOCK = sa.select(CHALLENGES).where(_awaited).with_for_update()
_TAKE = sa.delete(CHALLENGES).where(_awaited).returning(CHALLENGES)
_DELETE = sa.delete(CHALLENGES).where(CHALLENGES.c.token_hash == _hashed)
_DELETE_OF_USER = sa.delete(CHALLENGES).where(CHALLENGES.c.user_id == _user)

_INSERT_DEVICE = sa.insert(REMEMBERED_DEVICES)
_KEEP_NEWEST = sa.delete(REMEMBERED_DEVICES).where(
    REMEMBERED_DEVICES.c.user_id == _user,
    REMEMBERED_DEVICES.c.id.not_in(
        sa.select(REMEMBERED_DEVICES.c.id)
        .where(REMEMBERED_DEVICES.c.user_id == _user, _device_holds)
        .order_by(REMEMBERED_DEVICES.c.id.desc())
        .limit(MOST_DEVICES)
    ),
)
_USE_DEVICE = (
    sa.update(REMEMBERED_DEVICES)
    .where(REMEMBERED_DEVICES.c.token_hash == _hashed, REMEMBERED_DEVICES.c.user_id == _user, _device_holds)
    .values(last_used_at=sa.func.now())
    .returning(REMEMBERED_DEVICES)
)
_HAS_DEVICE = sa.select(
    sa.exists().where(
        REMEMBERED_DEVICES.c.token_hash == _hashed, REMEMBERED_DEVICES.c.user_id == _user, _device_holds
    )
)
_LIST_DEVICES = (
    sa.select(REMEMBERED_DEVICES)
    .where(REMEMBERED_DEVICES.c.user_id == _user, _device_holds)
    .order_by(REMEMBERED_DEVICES.c.id.desc())
)
_FORGET_DEVICE = sa.delete(REMEMBERED_DEVICES).where(
    REMEMBERED_DEVICES.c.user_id == _user,
    REMEMBERED_DEVICES.c.id == sa.bindparam("device_id", type_=sa.Uuid),
)
_FORGET_DEVICES = sa.delete(REMEMBERED_DEVICES).where(REMEMBERED_DEVICES.c.user_id == _user)


async def insert_challenge(tx: Transaction, challenge: Challenge) -> None:
    """Keeps a new challenge. Sweeps a few that are over."""
    await sweep(tx, _SWEEP)
    await tx.execute(_INSERT, asdict(challenge))


async def lock_challenge(tx: Transaction, hashed: bytes, purpose: Purpose) -> Challenge | None:
    """A challenge that still waits, which nobody else answers until the end of `tx`."""
    row = (await tx.execute(_LOCK, {"hashed": hashed, "what_for": purpose})).mappings().one_or_none()
    return _challenge(row) if row else None


async def take_challenge(tx: Transaction, hashed: bytes, purpose: Purpose) -> Challenge | None:
    """A challenge that still waited; it does no longer, whatever becomes of the answer."""
    row = (await tx.execute(_TAKE, {"hashed": hashed, "what_for": purpose})).mappings().one_or_none()
    return _challenge(row) if row else None


async def delete_challenge(tx: Transaction, challenge: Challenge) -> None:
    """The challenge is answered."""
    await tx.execute(_DELETE, {"hashed": challenge.token_hash})


async def insert_device(tx: Transaction, device: RememberedDevice) -> None:
    """Remembers a device, and forgets the person's oldest beyond the twentieth, and those that are over."""
    await tx.execute(_INSERT_DEVICE, asdict(device))
    await tx.execute(_KEEP_NEWEST, {"user": device.user_id})


async def use_device(tx: Transaction, user_id: UUID, hashed: bytes) -> RememberedDevice | None:
    """The device of the person with this secret, if it is remembered still."""
    row = (await tx.execute(_USE_DEVICE, {"user": user_id, "hashed": hashed})).mappings().one_or_none()
    return RememberedDevice(**row) if row else None


async def is_remembered(tx: Transaction, user_id: UUID, hashed: bytes) -> bool:
    """Whether the person has a remembered device with this secret. It is not used by that."""
    return bool((await tx.execute(_HAS_DEVICE, {"user": user_id, "hashed": hashed})).scalar_one())


async def list_devices(tx: Transaction, user_id: UUID) -> list[RememberedDevice]:
    """The remembered devices of a person, the newest first."""
    found = await tx.execute(_LIST_DEVICES, {"user": user_id})
    return [RememberedDevice(**row) for row in found.mappings()]


async def forget_device(tx: Transaction, user_id: UUID, device_id: UUID) -> bool:
    """Forgets one. False when the person has no such device."""
    found = await tx.execute(_FORGET_DEVICE, {"user": user_id, "device_id": device_id})
    return found.rowcount == 1


async def forget_second_steps(tx: Transaction, user_id: UUID) -> None:
    """Forgets the devices of a person and what waits for them: after a change of password or factors."""
    await tx.execute(_FORGET_DEVICES, {"user": user_id})
    await tx.execute(_DELETE_OF_USER, {"user": user_id})


def _challenge(row: sa.RowMapping) -> Challenge:
    return Challenge(
        row["token_hash"],
        Purpose(row["purpose"]),
        row["user_id"],
        row["methods"],
        row["expires_at"],
        row["connection_id"],
        row["provider"],
    )
