"""Notification's part in requests about persons. It knows bookings and when mails went, never to whom."""

from notification import events
from notification.app import App
from notification.store import privacy as store
from servicekit import inbox
from servicekit.events import Event
from servicekit.privacy import Trace


async def erase(app: App, event: Event, trace: Trace) -> None:
    """Calls off what is to be mailed about the bookings, and gives the receipt. Raises AlreadyHandled."""
    if trace.user is not None:
        async with app.db.begin_platform(reason="say that a user is forgotten") as tx:
            await inbox.claim(tx, event)
            await events.personal_data_erased(tx, trace.request_id, {})
        return
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        called_off = await store.call_off_mails(tx, trace.bookings)
        rows = {"notifications": called_off, "webhook_deliveries": 0}
        await events.personal_data_erased(tx, trace.request_id, rows)


async def export(app: App, event: Event, trace: Trace) -> None:
    """Hands in when which mail about the bookings went; of an account it knows none. Raises likewise."""
    if trace.user is not None:
        await app.privacy.hand_in(None, trace.request_id, {})
    else:
        async with app.db.begin(event.tenant) as tx:
            kept = await store.read_mails(tx, trace.bookings)
        await app.privacy.hand_in(event.tenant, trace.request_id, kept)
    async with app.db.begin_platform(reason="note that an export is handed in") as tx:
        await inbox.claim(tx, event)
