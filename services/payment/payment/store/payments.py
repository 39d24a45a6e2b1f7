"""Payments as rows. Each is found within its organization, in platform transactions too."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from payment.domain.errors import PaymentNotFound
from payment.domain.payments import Payment, PaymentStatus
from payment.tables import PAYMENTS
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.money import Money
from servicekit.paging import Page

_P = PAYMENTS.c
_OWN = sa.select(PAYMENTS).where(_P.organization_id == sa.bindparam("organization", type_=sa.Uuid))
_OF_BOOKING = _OWN.where(_P.booking_id == sa.bindparam("booking", type_=sa.Uuid))
_PAGES = Keyset(_OWN, _P.created_at, _P.id, newest_first=True)
_PAGES_OF_BOOKING = Keyset(_OF_BOOKING, _P.created_at, _P.id, newest_first=True)
_INSERT = insert(PAYMENTS).on_conflict_do_nothing(constraint="payments_one_per_booking")
_OF_ID = sa.select(PAYMENTS).where(
    _P.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    _P.id == sa.bindparam("payment", type_=sa.Uuid),
)
_OF_BOOKING = sa.select(PAYMENTS).where(
    _P.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    _P.booking_id == sa.bindparam("booking", type_=sa.Uuid),
)
_OF_REFERENCE = sa.select(PAYMENTS).where(
    _P.provider == sa.bindparam("provider_name", type_=sa.Text),
    _P.provider_reference == sa.bindparam("reference", type_=sa.Text),
)
_LOCK = _OF_ID.with_for_update()
_LOCK_OF_BOOKING = _OF_BOOKING.with_for_update()
_SAVE = (
    sa.update(PAYMENTS)
    .where(
        _P.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        _P.id == sa.bindparam("payment", type_=sa.Uuid),
    )
    .values(
        status=sa.bindparam("new_status", type_=sa.Text),
        refunded_amount=sa.bindparam("new_refunded", type_=sa.BigInteger),
        provider_reference=sa.bindparam("new_reference", type_=sa.Text),
        no_show_fee=sa.bindparam("new_fee", type_=sa.BigInteger),
    )
)


async def insert_payment(tx: Transaction, payment: Payment) -> bool:
    """Keeps a new payment. False when its booking has one already."""
    values = {
        "organization_id": payment.organization_id,
        "id": payment.id,
        "booking_id": payment.booking_id,
        "amount": payment.amount.amount,
        "currency": payment.amount.currency,
        "description": payment.description,
        "status": payment.status.value,
        "refunded_amount": payment.refunded.amount,
        "provider": payment.provider,
        "provider_reference": payment.provider_reference,
        "created_at": payment.created_at,
    }
    return bool((await tx.execute(_INSERT, values)).rowcount)


async def get_payment(tx: Transaction, organization_id: UUID, payment_id: UUID) -> Payment:
    """A payment. Raises PaymentNotFound."""
    return _one(await tx.execute(_OF_ID, {"organization": organization_id, "payment": payment_id}))


async def lock_payment(tx: Transaction, organization_id: UUID, payment_id: UUID) -> Payment:
    """A payment that nobody else changes until the end of `tx`. Raises PaymentNotFound."""
    return _one(await tx.execute(_LOCK, {"organization": organization_id, "payment": payment_id}))


async def find_payment_of_booking(tx: Transaction, organization_id: UUID, booking_id: UUID) -> Payment | None:
    """The payment of a booking."""
    return _maybe(await tx.execute(_OF_BOOKING, {"organization": organization_id, "booking": booking_id}))


async def lock_payment_of_booking(tx: Transaction, organization_id: UUID, booking_id: UUID) -> Payment | None:
    """The payment of a booking, which nobody else changes until the end of `tx`."""
    return _maybe(
        await tx.execute(_LOCK_OF_BOOKING, {"organization": organization_id, "booking": booking_id})
    )


async def find_payment_by_reference(tx: Transaction, provider: str, reference: str) -> Payment | None:
    """The payment of whatever organization that an intent belongs to. For platform transactions."""
    return _maybe(await tx.execute(_OF_REFERENCE, {"provider_name": provider, "reference": reference}))


async def save_payment(tx: Transaction, payment: Payment) -> None:
    """Keeps the new state of a locked payment."""
    await tx.execute(
        _SAVE,
        {
            "organization": payment.organization_id,
            "payment": payment.id,
            "new_status": payment.status.value,
            "new_refunded": payment.refunded.amount,
            "new_reference": payment.provider_reference,
            "new_fee": payment.no_show_fee.amount if payment.no_show_fee else None,
        },
    )


async def page_of_payments(
    tx: Transaction, organization_id: UUID, page: Page, *, booking_id: UUID | None
) -> tuple[list[Payment], str]:
    """A page, newest first, and the token of the next; of one booking if given."""
    values = {"organization": organization_id}
    if booking_id is None:
        rows, token = await _PAGES.read(tx, page, values)
    else:
        rows, token = await _PAGES_OF_BOOKING.read(tx, page, values | {"booking": booking_id})
    return [_payment(row) for row in rows], token


def _one(result: sa.CursorResult[Any]) -> Payment:
    found = _maybe(result)
    if found is None:
        raise PaymentNotFound
    return found


def _maybe(result: sa.CursorResult[Any]) -> Payment | None:
    row = result.mappings().one_or_none()
    return None if row is None else _payment(row)


def _payment(row: sa.RowMapping) -> Payment:
    return Payment(
        organization_id=row["organization_id"],
        id=row["id"],
        booking_id=row["booking_id"],
        amount=Money(row["amount"], row["currency"]),
        description=row["description"],
        status=PaymentStatus(row["status"]),
        refunded=Money(row["refunded_amount"], row["currency"]),
        provider=row["provider"],
        provider_reference=row["provider_reference"],
        created_at=row["created_at"],
        no_show_fee=None if row["no_show_fee"] is None else Money(row["no_show_fee"], row["currency"]),
    )
