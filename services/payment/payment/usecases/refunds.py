"""Refunds: owed when a booking is closed, once per payment and cause. A timer gives the money back."""

from uuid import UUID

from payment.app import App
from payment.domain.payments import Payment, PaymentStatus
from payment.domain.refunds import BOOKING_CLOSED
from payment.store import payments, refunds
from servicekit import ids, inbox, telemetry, timers
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.money import Money

CLOSE_DEPOSIT = "close_deposit"
ISSUE_REFUND = "issue_refund"

_log = telemetry.logger(__name__)


async def close_booking(
    app: App, event: Event, booking_id: UUID, *, refund_due: Money | None, reason: str
) -> None:
    """A booking was called off or ran out: gives back what is due, and closes a deposit nobody paid yet.

    Raises:
        AlreadyHandled: the event was handled before.
        RefundExceedsPayment: the booking asks for more than was paid.
    """
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        payment = await payments.lock_payment_of_booking(tx, event.tenant, booking_id)
        if payment is None:
            return
        if payment.is_open:
            await _close_later(tx, payment, refund_due or payment.amount, reason)
        elif payment.holds_money and refund_due is not None:
            await owe_refund(tx, payment, refund_due, reason)
        elif payment.status is PaymentStatus.CANCELLED and refund_due is not None:
            _log.warning("refund_due_without_money", payment=str(payment.id))


async def owe_refund(tx: Transaction, payment: Payment, amount: Money, reason: str) -> None:
    """Has money go back for a locked payment, once, whoever else asks for the same cause.

    Raises:
        RefundExceedsPayment: more than was paid.
    """
    refund = payment.owe(ids.new(), amount, cause=BOOKING_CLOSED, reason=reason)
    if await refunds.insert_refund(tx, refund):
        await timers.schedule(tx, ISSUE_REFUND, str(refund.id), tx.now)


async def _close_later(tx: Transaction, payment: Payment, if_paid: Money, reason: str) -> None:
    payment.require_refundable(if_paid)
    plan = {"amount": if_paid.amount, "reason": reason}
    await timers.schedule(tx, CLOSE_DEPOSIT, str(payment.id), tx.now, plan)
