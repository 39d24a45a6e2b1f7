"""Payments as staff read them."""

from uuid import UUID

from payment.app import App
from payment.domain.payments import Payment
from payment.store import payments as store
from servicekit.paging import Page


async def get_payment(app: App, organization_id: UUID, payment_id: UUID) -> Payment:
    """One payment.

    Raises:
        PaymentNotFound: the organization has no such payment.
    """
    async with app.db.begin(organization_id) as tx:
        return await store.get_payment(tx, organization_id, payment_id)


async def list_payments(
    app: App, organization_id: UUID, page: Page, *, booking_id: UUID | None
) -> tuple[list[Payment], str]:
    """A page, newest first, and the token of the next; of one booking if given. Raises InvalidPageToken."""
    async with app.db.begin(organization_id) as tx:
        return await store.page_of_payments(tx, organization_id, page, booking_id=booking_id)
