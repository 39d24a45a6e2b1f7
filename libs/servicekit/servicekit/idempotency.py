"""Idempotency keys, kept in the transaction of the effect they guard: no cache can lose them."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicekit.database import Transaction
from servicekit.errors import IdempotencyKeyReused

KEYS = sa.table(
    "idempotency_keys",
    sa.column("organization_id", sa.Uuid),
    sa.column("key", sa.Text),
    sa.column("fingerprint", sa.LargeBinary),
    sa.column("resource_id", sa.Uuid),
    sa.column("created_at", sa.DateTime(timezone=True)),
)

_CLAIM = insert(KEYS).on_conflict_do_nothing(index_elements=["organization_id", "key"])
_FIND = sa.select(KEYS.c.fingerprint, KEYS.c.resource_id).where(
    KEYS.c.organization_id == sa.bindparam("organization_id", type_=sa.Uuid),
    KEYS.c.key == sa.bindparam("key", type_=sa.Text),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A caller's key, scoped to who calls what, and the fingerprint of the request it came with.

    The guard's is `servicekit.answers.Slot.for_effect`, which alone says whose it is.
    """

    text: str
    fingerprint: bytes


_current: ContextVar[Key | None] = ContextVar("idempotency_key", default=None)
_repeated: ContextVar[bool] = ContextVar("repeated", default=False)


def key() -> Key | None:
    """The key of the RPC being served, if its caller sent one and its policy honours it."""
    return _current.get()


def bind(value: Key | None) -> None:
    """Makes `value` the key of the running task."""
    _current.set(value)


def start() -> None:
    """Says that nothing is known of an earlier call yet."""
    _repeated.set(False)


def repeat() -> None:
    """Says that an earlier call of the key had the effect."""
    _repeated.set(True)


def repeated() -> bool:
    """Whether the running call found that an earlier one had the effect."""
    return _repeated.get()


async def claim(tx: Transaction, key: Key | None, resource_id: UUID) -> UUID | None:
    """Ties the key to the resource that `tx` makes. Waits for a twin in flight.

    Returns the resource of an earlier request with this key, or None when this is the first.

    Raises:
        IdempotencyKeyReused: the earlier request was another one.
        Busy: the twin in flight takes longer than the lock timeout.
    """
    if key is None:
        return None
    row = {"organization_id": tx.organization, "key": key.text}
    mine = row | {"fingerprint": key.fingerprint, "resource_id": resource_id}
    if (await tx.execute(_CLAIM, mine)).rowcount:
        return None
    earlier = (await tx.execute(_FIND, row)).one()
    if earlier.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    found: UUID = earlier.resource_id
    return found
