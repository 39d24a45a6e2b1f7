"""Webhooks of the provider: believed only when signed, kept once, and handled by a timer afterwards."""

from prometheus_client import Counter

from payment.app import App
from payment.store import provider_events as store
from servicekit import timers

HANDLE_PROVIDER_EVENT = "handle_provider_event"

_RECEIVED = Counter("comptoir_provider_events_received_total", "Webhooks taken in.", ["source", "outcome"])


async def receive_event(app: App, payload: bytes, signature: str) -> None:
    """Keeps a webhook and has it handled. One that came before, which is nothing unusual, changes nothing.

    Raises:
        StripeSignatureInvalid: see Provider.read_event.
        StripeEventInvalid: signed, but no event.
    """
    event = app.provider.read_event(payload, signature)
    async with app.db.begin_platform(reason="receive a webhook") as tx:
        new = await store.insert_event(tx, event)
        if new and event.reference is None:
            await store.mark_handled(tx, event, "ignored")
        elif new:
            payload_of_timer = {"source": event.source, "event": event.id}
            key = f"{event.source}:{event.id}"
            await timers.schedule(tx, HANDLE_PROVIDER_EVENT, key, tx.now, payload_of_timer)
    _RECEIVED.labels(event.source, "new" if new else "repeated").inc()
