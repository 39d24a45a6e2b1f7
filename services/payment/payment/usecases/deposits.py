"""Deposits: made once per booking, followed at the provider, closed when nobody may pay them any more.

The provider is asked between transactions, never inside one; each step may be repeated after a crash.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from payment import events
from payment.app import App
from payment.domain.payments import Payment, PaymentStatus, look_again_after
from payment.domain.provider import IntentStatus
from payment.store import payments as store
from servicekit import ids, telemetry, timers
from servicekit.database import Transaction
from servicekit.errors import Unavailable
from servicekit.money import Money

RECONCILE_DEPOSIT = "reconcile_deposit"

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class OfferedDeposit:
    """A deposit and how the guest pays it."""

    payment: Payment
    client_secret: str = field(default="", repr=False)
    """Empty once there is nothing to pay."""


async def create_deposit(
    app: App, organization_id: UUID, booking_id: UUID, *, amount: Money, description: str
) -> OfferedDeposit:
    """The deposit of a booking: made if there is none, else the one that exists, whatever has become of it.

    Raises:
        DepositMismatch: the existing one is over another amount.
        ProviderRefused: the provider does not take this amount or currency.
        Unavailable, DeadlineExceeded: the provider did not answer; asking again continues where it broke off.
    """
    async with app.db.begin(organization_id) as tx:
        payment = await _insert_or_find(app, tx, booking_id, amount=amount, description=description)
    payment.require_amount(amount)
    if not payment.is_open:
        return OfferedDeposit(payment)
    if payment.provider_reference is not None:
        # The secret is not kept; the provider tells it again.
        known = await app.provider.find_intent(payment.provider_reference)
        return OfferedDeposit(payment, known.client_secret)
    made = await app.provider.make_intent(payment)
    async with app.db.begin(organization_id) as tx:
        payment = (await store.lock_payment(tx, organization_id, payment.id)).bind(made.reference)
        await store.save_payment(tx, payment)
    if not payment.is_open:
        # Settled while the intent was being made: nobody may pay it.
        await app.provider.close_intent(made.reference)
        return OfferedDeposit(payment)
    if payment.provider_reference != made.reference:
        # A twin was faster, at a provider without idempotency keys. Only the intent on record counts; nobody
        # was told the secret of this one.
        _log.warning("intent_orphaned", reference=made.reference)
        made = await app.provider.find_intent(payment.provider_reference or "")
    return OfferedDeposit(payment, made.client_secret)


async def settle_deposit(app: App, organization_id: UUID, booking_id: UUID) -> PaymentStatus | None:
    """Decides a deposit: paid, or closed so that it cannot be paid later. None when the booking has none.

    SUCCEEDED or CANCELLED. A deposit that was given back in full counts as CANCELLED: it holds no money.

    Raises:
        Unavailable: the provider did not answer, or the payment is on its way; ask again.
    """
    async with app.db.begin(organization_id) as tx:
        payment = await store.lock_payment_of_booking(tx, organization_id, booking_id)
        if payment is None:
            return None
        if payment.provider_reference is None:
            payment = payment.abandon()
            await store.save_payment(tx, payment)
    if payment.is_open:
        payment = await close_at_provider(app, payment)
    if payment.is_open:
        raise Unavailable
    return PaymentStatus.SUCCEEDED if payment.holds_money else PaymentStatus.CANCELLED


async def close_at_provider(app: App, payment: Payment) -> Payment:
    """Closes an open deposit unless it is paid, and keeps what the provider says. Still open: on its way."""
    intent = await app.provider.close_intent(payment.provider_reference or "")
    async with app.db.begin(payment.organization_id) as tx:
        locked = await store.lock_payment(tx, payment.organization_id, payment.id)
        return await record_intent(tx, locked, intent.status)


async def record_intent(tx: Transaction, payment: Payment, status: IntentStatus) -> Payment:
    """Keeps what the provider says of a locked payment, and tells the others when it is paid from now on."""
    followed = payment.follow(status)
    if followed != payment:
        await store.save_payment(tx, followed)
        if followed.status is PaymentStatus.SUCCEEDED:
            await events.payment_succeeded(tx, followed)
    return followed


async def _insert_or_find(
    app: App, tx: Transaction, booking_id: UUID, *, amount: Money, description: str
) -> Payment:
    assert tx.organization is not None  # noqa: S101  # a tenant's transaction
    payment = Payment.due(
        ids.new(),
        booking_id,
        organization_id=tx.organization,
        amount=amount,
        description=description,
        provider=app.provider.name,
        now=tx.now,
    )
    if await store.insert_payment(tx, payment):
        await timers.schedule(tx, RECONCILE_DEPOSIT, str(payment.id), first_look(tx.now))
        return payment
    existing = await store.find_payment_of_booking(tx, tx.organization, booking_id)
    assert existing is not None  # noqa: S101  # payments are never deleted
    return existing


def first_look(now: datetime) -> datetime:
    """When to ask the provider about a new deposit, in case its webhook gets lost."""
    return now + look_again_after(0)
