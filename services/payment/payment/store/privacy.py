"""What was paid for some bookings, read for whom it is about. It holds no word of a person, so none goes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from payment.domain.payments import PaymentStatus
from payment.domain.refunds import RefundState
from payment.tables import PAYMENTS, REFUNDS
from servicekit.database import Transaction

_of_these = PAYMENTS.c.booking_id == sa.any_(sa.bindparam("bookings", type_=sa.ARRAY(sa.Uuid)))
_its_refunds = sa.and_(
    REFUNDS.c.organization_id == PAYMENTS.c.organization_id, REFUNDS.c.payment_id == PAYMENTS.c.id
)
_OPEN = (
    sa.select(PAYMENTS.c.id)
    .where(
        _of_these,
        sa.or_(
            PAYMENTS.c.status == PaymentStatus.PENDING.value,
            sa.exists().where(_its_refunds, REFUNDS.c.state == RefundState.DUE.value),
        ),
    )
    .order_by(PAYMENTS.c.id)
)
_READ_PAYMENTS = sa.select(PAYMENTS).where(_of_these).order_by(PAYMENTS.c.id)
_READ_REFUNDS = sa.select(REFUNDS).join(PAYMENTS, _its_refunds).where(_of_these).order_by(REFUNDS.c.id)


async def list_open(tx: Transaction, bookings: Sequence[UUID]) -> list[UUID]:
    """The tenant's payments for some bookings that wait for the guest, or that something is to go back of."""
    return list((await tx.execute(_OPEN, {"bookings": bookings})).scalars())


async def read(tx: Transaction, bookings: Sequence[UUID]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Every payment for some bookings and what went back, row by row."""
    of_these = {"bookings": bookings}
    return {
        "payments": [dict(row) for row in (await tx.execute(_READ_PAYMENTS, of_these)).mappings()],
        "refunds": [dict(row) for row in (await tx.execute(_READ_REFUNDS, of_these)).mappings()],
    }
