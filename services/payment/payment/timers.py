"""What is due in payment: asking the provider, closing deposits, giving money back, reading webhooks.

A handler may run twice, also at the same time: whatever it does at the provider can be repeated, and whatever
it writes is decided under the payment's lock.
"""

from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from prometheus_client import Counter

from payment import events
from payment.app import App
from payment.domain.payments import look_again_after
from payment.domain.provider import RefundAnswer
from payment.domain.refunds import Refund, RefundState
from payment.store import payments, provider_events, refunds
from payment.usecases import deposits
from payment.usecases.deposits import CLOSE_INTENT, RECONCILE_DEPOSIT
from payment.usecases.provider_events import HANDLE_PROVIDER_EVENT
from payment.usecases.purges import purge
from payment.usecases.refunds import CLOSE_DEPOSIT, ISSUE_REFUND
from servicekit import telemetry, timers
from servicekit.errors import AppError, Busy
from servicekit.purging import PURGE
from servicekit.timers import Timer

_REFUND_LEASE = timedelta(seconds=60)
"""Longer than both calls of a refund may take, so that a slow one is never joined by a second."""

_UNKNOWN = Counter(
    "comptoir_provider_events_unknown_total", "Webhooks about an intent that is none of ours.", ["source"]
)
_REFUNDS = Counter("comptoir_refunds_ended_total", "Refunds by how they ended.", ["outcome"])
_log = telemetry.logger(__name__)


async def reconcile_deposit(app: App, timer: Timer) -> None:
    """Asks the provider about a deposit, at growing intervals until it is decided: no webhook need arrive."""
    async with app.db.begin(timer.tenant) as tx:
        payment = await payments.lock_payment(tx, timer.tenant, UUID(timer.key))
        if payment.is_abandoned(tx.now):
            payment = payment.abandon()
            await payments.save_payment(tx, payment)
    if payment.is_open:
        payment = await deposits.look(app, payment)
    elif payment.provider_reference is None:
        await deposits.close_unheard_intent(app, payment)
    async with app.db.begin(timer.tenant) as tx:
        if payment.is_open:
            await timers.postpone(tx, timer, tx.now + look_again_after(timer.attempts))
        else:
            await timers.done(tx, timer)


async def close_deposit(app: App, timer: Timer) -> None:
    """Closes the deposit of a booking that is over. If it is paid, booking hears of it, and decides."""
    async with app.db.begin(timer.tenant) as tx:
        payment = await payments.get_payment(tx, timer.tenant, UUID(timer.key))
    await deposits.decide(app, payment)
    async with app.db.begin(timer.tenant) as tx:
        await timers.done(tx, timer)


async def close_intent(app: App, timer: Timer) -> None:
    """Closes an intent that nobody was offered; the key is the provider's name for it."""
    await deposits.close_intent(app, timer.key)
    async with app.db.begin(timer.tenant) as tx:
        await timers.done(tx, timer)


async def issue_refund(app: App, timer: Timer) -> None:
    """Gives money back once. The lease keeps a second handler from asking while the first one still does."""
    refund_id = UUID(timer.key)
    async with app.db.begin(timer.tenant) as tx:
        leased = await refunds.lease_refund(tx, timer.tenant, refund_id, duration=_REFUND_LEASE)
        refund = await refunds.get_refund(tx, timer.tenant, refund_id)
        payment = await payments.get_payment(tx, timer.tenant, refund.payment_id)
        if refund.state is not RefundState.DUE:
            await timers.done(tx, timer)
            return
    if not leased:
        raise Busy
    try:
        answer = await app.provider.give_back(payment.provider_reference or "", refund)
    except AppError:
        async with app.db.begin(timer.tenant) as tx:
            await refunds.release_refund(tx, timer.tenant, refund_id)
        raise
    await _record_refund(app, timer, refund, answer)


async def handle_provider_event(app: App, timer: Timer) -> None:
    """Asks the provider about the intent that a webhook spoke of. What we do not know is noted and kept."""
    async with app.db.begin_platform(reason="find the payment of a webhook") as tx:
        event = await provider_events.get_event(tx, timer.payload["source"], timer.payload["event"])
        payment = await payments.find_payment_by_reference(tx, event.source, event.reference or "")
        if payment is None:
            await provider_events.mark_handled(tx, event, "unknown")
            await timers.done(tx, timer)
    if payment is None:
        _UNKNOWN.labels(event.source).inc()
        _log.warning("provider_event_unknown", source=event.source, event_id=event.id, type=event.type)
        return
    await deposits.look(app, payment)
    async with app.db.begin_platform(reason="note that a webhook was followed") as tx:
        await provider_events.mark_handled(tx, event, "followed")
        await timers.done(tx, timer)


async def _record_refund(app: App, timer: Timer, refund: Refund, answer: RefundAnswer) -> None:
    async with app.db.begin(timer.tenant) as tx:
        payment = await payments.lock_payment(tx, timer.tenant, refund.payment_id)
        before = await refunds.lock_refund(tx, timer.tenant, refund.id)
        refund = before.follow(answer)
        await refunds.save_refund(tx, refund)
        if refund.state is RefundState.DUE:
            await timers.postpone(tx, timer, tx.now + look_again_after(timer.attempts))
            return
        await timers.done(tx, timer)
        if before.state is RefundState.DUE and refund.state is RefundState.SUCCEEDED:
            payment = payment.give_back(refund.amount)
            await payments.save_payment(tx, payment)
            await events.payment_refunded(tx, payment)
    _REFUNDS.labels(refund.state.value).inc()
    if refund.state is RefundState.FAILED:
        _log.error("refund_failed", refund=str(refund.id), reference=answer.reference)


TIMERS = MappingProxyType(
    {
        RECONCILE_DEPOSIT: reconcile_deposit,
        CLOSE_DEPOSIT: close_deposit,
        CLOSE_INTENT: close_intent,
        ISSUE_REFUND: issue_refund,
        HANDLE_PROVIDER_EVENT: handle_provider_event,
        PURGE: purge,
    }
)
