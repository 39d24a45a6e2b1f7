"""Tries of webhook deliveries. A try is marked before it is posted and logged after."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prometheus_client import Counter
from standardwebhooks import Webhook

from notification.app import App
from notification.domain.webhooks import (
    DISABLED_AFTER,
    JITTER,
    Answer,
    Attempt,
    Claim,
    DeliveryStatus,
    Endpoint,
    next_try,
)
from notification.store import deliveries as store
from notification.store import endpoints as endpoint_store
from servicekit import ids, timers
from servicekit.database import Transaction
from servicekit.timers import Timer

_TRIES = Counter("comptoir_webhook_tries_total", "Tries of webhook deliveries.", ["outcome"])
_AMBIGUOUS = Counter(
    "comptoir_webhooks_ambiguous_total", "Webhooks posted again because a try was cut short by our own end."
)
_DISABLED = Counter("comptoir_webhook_endpoints_disabled_total", "Endpoints switched off.", ["reason"])

_LEASE = timedelta(seconds=60)
"""After this long, a try in flight counts as cut short; longer than any try may take."""
_AT_ONCE, _AT_ONCE_FAILING = 10, 1
"""Tries in flight of one endpoint. One that failed last gets one: it must not fill the timer loop."""


def sign(secret: str, *, message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The headers of one try (Standard Webhooks 1.0.0). `moment`: when it begins."""
    moment = moment.astimezone(UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


async def deliver_webhook(app: App, timer: Timer, delivery: UUID) -> None:
    """Tries a delivery that is due. Safe to call again at any time: the partner sees the same webhook-id."""
    claim = await _claim(app, timer, delivery)
    if claim is None:
        return
    endpoint = claim.endpoint
    secret = app.seal.open_up(
        endpoint.sealed_secret, organization=endpoint.organization, endpoint=endpoint.id
    )
    headers = sign(secret, message_id=ids.show("msg", delivery), moment=claim.started_at, body=claim.body)
    answer = await app.partners.post(endpoint.url, body=claim.body, headers=headers)
    await _settle(app, timer, claim, answer)


async def _claim(app: App, timer: Timer, delivery_id: UUID) -> Claim | None:
    """Marks that a try begins, and commits that. None when there is nothing to try, or not now."""
    async with app.db.begin(timer.tenant) as tx:
        endpoint_id = await store.find_endpoint(tx, delivery_id)
        endpoint = await endpoint_store.lock_endpoint(tx, endpoint_id) if endpoint_id else None
        delivery = await store.lock_delivery(tx, delivery_id)
        if endpoint is None or delivery is None or delivery.status is not DeliveryStatus.PENDING:
            await timers.done(tx, timer)
            return None
        if endpoint.disabled:
            await store.settle(tx, delivery_id, DeliveryStatus.FAILED)
            await timers.done(tx, timer)
            return None
        if await _is_busy(tx, endpoint, delivery_id):
            await timers.postpone(tx, timer, tx.now + _wait_for_turn(endpoint))
            return None
        if delivery.in_flight_since is not None:
            tx.after_commit.append(_AMBIGUOUS.inc)
            cut_short = Attempt(delivery.in_flight_since, 0, "interrupted")
            await store.log_attempt(tx, delivery_id, delivery.attempts, cut_short)
        await store.start_attempt(tx, delivery_id)
        return Claim(delivery_id, endpoint, delivery.body, delivery.attempts + 1, tx.now)


async def _is_busy(tx: Transaction, endpoint: Endpoint, delivery: UUID) -> bool:
    most = _AT_ONCE_FAILING if endpoint.failing_since else _AT_ONCE
    return await store.count_in_flight(tx, endpoint.id, besides=delivery, lease=_LEASE) >= most


def _wait_for_turn(endpoint: Endpoint) -> timedelta:
    shortest, longest = (2.0, 15.0) if endpoint.failing_since else (0.2, 1.0)
    return timedelta(seconds=random.uniform(shortest, longest))  # noqa: S311  # spreads load, hides nothing


async def _settle(app: App, timer: Timer, claim: Claim, answer: Answer) -> None:
    async with app.db.begin(timer.tenant) as tx:
        endpoint = await endpoint_store.lock_endpoint(tx, claim.endpoint.id)
        delivery = await store.lock_delivery(tx, claim.delivery)
        if endpoint is None or delivery is None or delivery.in_flight_since != claim.started_at:
            return  # removed meanwhile, or taken over after the lease ran out
        attempt = Attempt(claim.started_at, answer.status, answer.error)
        await store.log_attempt(tx, claim.delivery, claim.attempts, attempt)
        tx.after_commit.append(_TRIES.labels(answer.error or "accepted").inc)
        if answer.accepted:
            await store.settle(tx, claim.delivery, DeliveryStatus.DELIVERED)
            await endpoint_store.save_endpoint(
                tx, endpoint.id, disabled=endpoint.disabled, failing_since=None
            )
            await timers.done(tx, timer)
            return
        await _note_failure(tx, endpoint, answer)
        await _try_later(app, tx, timer, claim, answer)


async def _try_later(app: App, tx: Transaction, timer: Timer, claim: Claim, answer: Answer) -> None:
    jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, hides nothing
    wait = next_try(app.webhooks.schedule, claim.attempts, answer, jitter=jitter)
    if wait is None:
        await store.settle(tx, claim.delivery, DeliveryStatus.FAILED)
        await timers.done(tx, timer)
        return
    due_at = tx.now + wait
    await store.settle(tx, claim.delivery, DeliveryStatus.PENDING, next_attempt_at=due_at)
    await timers.postpone(tx, timer, due_at)


async def _note_failure(tx: Transaction, endpoint: Endpoint, answer: Answer) -> None:
    """Switches the endpoint off when it is gone for good, or has done nothing but fail for days."""
    since = endpoint.failing_since or tx.now
    worn_out = tx.now - since >= DISABLED_AFTER
    disabled = endpoint.disabled or answer.gone or worn_out
    await endpoint_store.save_endpoint(tx, endpoint.id, disabled=disabled, failing_since=since)
    if disabled and not endpoint.disabled:
        tx.after_commit.append(_DISABLED.labels("gone" if answer.gone else "failing").inc)
