"""Closed bookings and refunds: booking alone says what is due, and that goes back once. Never guesses."""

from uuid import UUID

from payment.app import App
from payment.domain.payments import Payment
from payment.domain.refunds import BOOKING_CLOSED, NO_SHOW, NO_SHOW_WAIVED
from payment.store import payments, refunds
from servicekit import ids, inbox, telemetry, timers
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.money import Money

CLOSE_DEPOSIT = "close_deposit"
ISSUE_REFUND = "issue_refund"

_log = telemetry.logger(__name__)


async def close_booking(
    app: App,
    event: Event,
    booking_id: UUID,
    *,
    deposit: Money | None,
    refund_due: Money | None,
    reason: str,
) -> None:
    """A booking was called off or ran out: nobody is to pay its deposit any more, and what is due goes back.

    Without `refund_due` nothing goes back, even if the deposit turns out to be paid: that is told by
    PaymentSucceeded, and booking confirms, or says in a further event what is due.

    Raises:
        AlreadyHandled: the event was handled before.
        RefundExceedsPayment: the booking asks for more than its deposit.
    """
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        payment = await payments.lock_payment_of_booking(tx, event.tenant, booking_id)
        if payment is None and deposit is not None:
            payment = await _forestall(app, tx, booking_id, deposit)
        if payment is None:
            return
        if refund_due is not None:
            await owe_refund(tx, payment, refund_due, reason)
        if payment.is_open:
            await timers.schedule(tx, CLOSE_DEPOSIT, str(payment.id), tx.now)


async def settle_no_show(app: App, event: Event, booking_id: UUID, *, fee: Money | None) -> None:
    """A guest did not come: the fee is kept of the deposit and put on record, and the rest goes back once.

    Nothing is charged beyond the deposit. Without a fee nothing was paid, and nothing happens.

    Raises:
        AlreadyHandled: the event was handled before.
        RefundExceedsPayment: the fee is more than the deposit.
    """
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        payment = await payments.lock_payment_of_booking(tx, event.tenant, booking_id)
        if payment is None or fee is None or payment.no_show_fee is not None:
            return
        kept = payment.keep_fee(fee)
        await payments.save_payment(tx, kept)
        rest = Money(payment.amount.amount - fee.amount, fee.currency)
        if rest.amount:
            await owe_refund(tx, kept, rest, "no show", cause=NO_SHOW)


async def waive_no_show(app: App, event: Event, booking_id: UUID) -> None:
    """A guest came who was missed: what was kept of the deposit goes back, once, and nothing is kept later.

    Raises:
        AlreadyHandled: the event was handled before.
    """
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        payment = await payments.lock_payment_of_booking(tx, event.tenant, booking_id)
        if payment is None:
            return
        waived, kept = payment.waive_fee()
        await payments.save_payment(tx, waived)
        if kept.amount:
            await owe_refund(tx, waived, kept, "came after all", cause=NO_SHOW_WAIVED)


async def owe_refund(
    tx: Transaction, payment: Payment, amount: Money, reason: str, *, cause: str = BOOKING_CLOSED
) -> None:
    """Has money of a locked payment go back once, as soon as it is there, whoever else asks for it.

    Raises:
        RefundExceedsPayment: more than the deposit.
    """
    refund = payment.owe(ids.new(), amount, cause=cause, reason=reason)
    if not await refunds.insert_refund(tx, refund):
        return
    if payment.holds_money:
        await timers.schedule(tx, ISSUE_REFUND, str(refund.id), tx.now)
    else:
        _log.warning("refund_waits_for_money", payment=str(payment.id))


async def issue_owed(tx: Transaction, payment: Payment) -> None:
    """Gives back what was owed before the money of a locked payment was known to be there."""
    for refund_id in await refunds.list_due(tx, payment.organization_id, payment.id):
        await timers.schedule(tx, ISSUE_REFUND, str(refund_id), tx.now)


async def _forestall(app: App, tx: Transaction, booking_id: UUID, deposit: Money) -> Payment | None:
    """Closes a deposit that was not asked for yet, so that a late request offers nothing to pay.

    Answers the payment, locked, if the request was quicker after all.
    """
    assert tx.organization is not None  # noqa: S101  # a tenant's transaction
    closed = Payment.due(
        ids.new(),
        booking_id,
        organization_id=tx.organization,
        amount=deposit,
        description="",
        provider=app.provider.name,
        now=tx.now,
    ).abandon()
    if await payments.insert_payment(tx, closed):
        return closed
    return await payments.lock_payment_of_booking(tx, tx.organization, booking_id)
