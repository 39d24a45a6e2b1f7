"""Deposits: made once per booking, followed at the provider, closed when nobody may pay them any more.

The provider is asked between transactions, never inside one; each step may be repeated after a crash.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never
from uuid import UUID

from payment import events
from payment.app import App
from payment.domain.errors import ProviderRefused
from payment.domain.payments import Payment, PaymentStatus, look_again_after
from payment.domain.provider import IntentStatus
from payment.store import payments as store
from payment.usecases import refunds
from servicekit import ids, telemetry, timers
from servicekit.database import Transaction
from servicekit.errors import Unavailable
from servicekit.money import Money

RECONCILE_DEPOSIT = "reconcile_deposit"
CLOSE_INTENT = "close_intent"

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
        orphaned = payment.provider_reference != made.reference
        if orphaned:
            # The deposit was closed meanwhile; or a twin was faster, at a provider without idempotency keys.
            # Only the intent on record counts. Nobody was told the secret of this one, and nobody will be.
            await timers.schedule(tx, CLOSE_INTENT, made.reference, tx.now)
    if orphaned:
        _log.warning("intent_orphaned", reference=made.reference)
    if not payment.is_open:
        return OfferedDeposit(payment)
    if orphaned:
        made = await app.provider.find_intent(payment.provider_reference or "")
    return OfferedDeposit(payment, made.client_secret)


async def settle_deposit(app: App, organization_id: UUID, booking_id: UUID) -> PaymentStatus | None:
    """Decides a deposit: paid, or closed so that it cannot be paid later. None when the booking has none.

    SUCCEEDED or CANCELLED. A deposit that was given back in full counts as CANCELLED: it holds no money.

    Raises:
        Unavailable: the provider did not answer, or the payment is on its way; ask again.
    """
    async with app.db.begin(organization_id) as tx:
        payment = await store.find_payment_of_booking(tx, organization_id, booking_id)
    if payment is None:
        return None
    payment = await decide(app, payment)
    return PaymentStatus.SUCCEEDED if payment.holds_money else PaymentStatus.CANCELLED


async def decide(app: App, payment: Payment) -> Payment:
    """The payment as it ends: paid, or closed so that it cannot be paid any more. No money moves by it.

    Raises:
        Unavailable: the provider did not answer, or the payment is on its way; ask again.
    """
    async with app.db.begin(payment.organization_id) as tx:
        payment = (await store.lock_payment(tx, payment.organization_id, payment.id)).abandon()
        await store.save_payment(tx, payment)
    if payment.is_open:
        intent = await app.provider.close_intent(payment.provider_reference or "")
        payment = await _learn(app, payment, intent.status)
    if payment.is_open:
        raise Unavailable
    return payment


async def look(app: App, payment: Payment) -> Payment:
    """The payment after the provider was asked about its intent, if there is one on record."""
    if payment.provider_reference is None:
        return payment
    intent = await app.provider.find_intent(payment.provider_reference)
    return await _learn(app, payment, intent.status)


async def close_unheard_intent(app: App, payment: Payment) -> None:
    """Closes the intent that may have been made for a closed deposit without our hearing of it.

    Making it again answers the one that was made, by its idempotency key; or a new one, closed just the same.
    """
    try:
        made = await app.provider.make_intent(payment)
    except ProviderRefused:
        return  # as it was the first time
    await close_intent(app, made.reference)


async def close_intent(app: App, reference: str) -> None:
    """Closes an intent that no deposit counts on.

    Raises:
        Unavailable: the provider did not answer, or did not close it yet; ask again.
    """
    intent = await app.provider.close_intent(reference)
    match intent.status:
        case IntentStatus.OPEN | IntentStatus.PROCESSING:
            raise Unavailable
        case IntentStatus.SUCCEEDED:
            _log.error("orphaned_intent_paid", reference=reference)
        case IntentStatus.CANCELLED:
            pass
        case _:
            assert_never(intent.status)


async def _learn(app: App, payment: Payment, status: IntentStatus) -> Payment:
    """Keeps what the provider says, and tells the others when the deposit is paid from now on."""
    async with app.db.begin(payment.organization_id) as tx:
        locked = await store.lock_payment(tx, payment.organization_id, payment.id)
        followed = locked.follow(status)
        if followed != locked:
            await store.save_payment(tx, followed)
            if followed.status is PaymentStatus.SUCCEEDED:
                await events.payment_succeeded(tx, followed)
                await refunds.issue_owed(tx, followed)
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
