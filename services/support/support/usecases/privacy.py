"""Support's part in requests about persons. Booking says which bookings a guest has had."""

from servicekit import inbox
from servicekit.events import Event
from servicekit.privacy import Trace
from support import events
from support.app import App
from support.store import privacy as store


async def erase(app: App, event: Event, trace: Trace) -> None:
    """Takes all words out of the tickets about the bookings; no further one is opened about them.

    Of an account there is nothing but its id. Raises AlreadyHandled.
    """
    if trace.user is not None:
        async with app.db.begin_platform(reason="say that a user is forgotten") as tx:
            await inbox.claim(tx, event)
            await events.personal_data_erased(tx, trace.request_id, {})
        return
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await store.note_erased(tx, trace.bookings)
        rows = await store.anonymise_tickets(tx, await store.list_tickets_of(tx, trace.bookings))
        await events.personal_data_erased(tx, trace.request_id, rows)


async def export(app: App, event: Event, trace: Trace) -> None:
    """Hands in the tickets about the bookings, or what a member wrote. Raises AlreadyHandled, AppError."""
    if trace.user is not None:
        async with app.db.begin_platform(reason="export what a user did") as tx:
            kept = await store.read_user(tx, trace.user)
    else:
        async with app.db.begin(event.tenant) as tx:
            kept = await store.read_tickets(tx, await store.list_tickets_of(tx, trace.bookings))
    await app.privacy.hand_in(event.organization, trace.request_id, kept)
    async with app.db.begin_platform(reason="note that an export is handed in") as tx:
        await inbox.claim(tx, event)
