"""Refunds as rows, and the lease by which only one process at a time asks the provider for one."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from payment.domain.refunds import Refund, RefundState
from payment.tables import REFUNDS
from servicekit.database import Transaction
from servicekit.money import Money

_R = REFUNDS.c
_MINE = sa.and_(
    _R.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    _R.id == sa.bindparam("refund", type_=sa.Uuid),
)
_INSERT = insert(REFUNDS).on_conflict_do_nothing(constraint="refunds_one_per_cause")
_GET = sa.select(REFUNDS).where(_MINE)
_LOCK = _GET.with_for_update()
_LEASE = (
    sa.update(REFUNDS)
    .where(
        _MINE,
        _R.state == RefundState.DUE.value,
        sa.or_(_R.leased_until.is_(None), _R.leased_until < sa.func.now()),
    )
    .values(leased_until=sa.func.now() + sa.bindparam("duration", type_=sa.Interval))
)
_RELEASE = sa.update(REFUNDS).where(_MINE).values(leased_until=None)
_LIST_DUE = sa.select(_R.id).where(
    _R.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    _R.payment_id == sa.bindparam("payment", type_=sa.Uuid),
    _R.state == RefundState.DUE.value,
)
_SAVE = (
    sa.update(REFUNDS)
    .where(_MINE)
    .values(
        state=sa.bindparam("new_state", type_=sa.Text),
        provider_reference=sa.bindparam("new_reference", type_=sa.Text),
        leased_until=None,
    )
)


async def insert_refund(tx: Transaction, refund: Refund) -> bool:
    """Keeps a new refund. False when the payment has one for this cause already."""
    values = {
        "organization_id": refund.organization_id,
        "id": refund.id,
        "payment_id": refund.payment_id,
        "amount": refund.amount.amount,
        "currency": refund.amount.currency,
        "cause": refund.cause,
        "reason": refund.reason,
        "state": refund.state.value,
        "provider_reference": refund.provider_reference,
    }
    return bool((await tx.execute(_INSERT, values)).rowcount)


async def list_due(tx: Transaction, organization_id: UUID, payment_id: UUID) -> list[UUID]:
    """The refunds of a payment that have not ended. Lock the payment first."""
    row = {"organization": organization_id, "payment": payment_id}
    return list((await tx.execute(_LIST_DUE, row)).scalars())


async def lease_refund(
    tx: Transaction, organization_id: UUID, refund_id: UUID, *, duration: timedelta
) -> bool:
    """Makes the caller the only one to ask the provider. False when it is not due, or another one asks."""
    row = {"organization": organization_id, "refund": refund_id, "duration": duration}
    return bool((await tx.execute(_LEASE, row)).rowcount)


async def release_refund(tx: Transaction, organization_id: UUID, refund_id: UUID) -> None:
    """Gives the lease back early."""
    await tx.execute(_RELEASE, {"organization": organization_id, "refund": refund_id})


async def get_refund(tx: Transaction, organization_id: UUID, refund_id: UUID) -> Refund:
    """A refund."""
    return _refund(await tx.execute(_GET, {"organization": organization_id, "refund": refund_id}))


async def lock_refund(tx: Transaction, organization_id: UUID, refund_id: UUID) -> Refund:
    """A refund that nobody else changes until the end of `tx`. Lock its payment first."""
    return _refund(await tx.execute(_LOCK, {"organization": organization_id, "refund": refund_id}))


async def save_refund(tx: Transaction, refund: Refund) -> None:
    """Keeps the new state of a locked refund, and ends the lease."""
    await tx.execute(
        _SAVE,
        {
            "organization": refund.organization_id,
            "refund": refund.id,
            "new_state": refund.state.value,
            "new_reference": refund.provider_reference,
        },
    )


def _refund(result: sa.CursorResult[Any]) -> Refund:
    row = result.mappings().one()
    return Refund(
        organization_id=row["organization_id"],
        id=row["id"],
        payment_id=row["payment_id"],
        amount=Money(row["amount"], row["currency"]),
        cause=row["cause"],
        reason=row["reason"],
        state=RefundState(row["state"]),
        provider_reference=row["provider_reference"],
    )
