"""Payments as staff read them."""

from datetime import datetime
from uuid import UUID

from payment.app import App
from payment.domain.payments import Payment
from payment.store import payments as store


async def get_payment(app: App, organization_id: UUID, payment_id: UUID) -> Payment:
    """One payment.

    Raises:
        PaymentNotFound: the organization has no such payment.
    """
    async with app.db.begin(organization_id) as tx:
        return await store.get_payment(tx, organization_id, payment_id)


async def list_payments(
    app: App,
    organization_id: UUID,
    *,
    booking_id: UUID | None,
    size: int,
    after: tuple[datetime, UUID] | None,
) -> list[Payment]:
    """At most `size` payments, newest first, older than `after` (time and id); of one booking if given."""
    async with app.db.begin(organization_id) as tx:
        return await store.list_payments(tx, organization_id, booking_id=booking_id, size=size, after=after)
