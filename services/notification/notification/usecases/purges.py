"""What notification forgets with time, and how long organizations want it kept."""

from notification.app import App
from notification.store import purges as store
from notification.tables import NOTIFICATIONS, WEBHOOK_DELIVERIES
from servicekit import purging, retention
from servicekit.events import Event
from servicekit.purging import PlatformPurge, Purges, TenantPurge
from servicekit.timers import Timer

PURGES: Purges = {
    "mails": TenantPurge(NOTIFICATIONS, store.purge_mails),
    "account_mails": PlatformPurge(store.purge_account_mails),
    "deliveries": TenantPurge(WEBHOOK_DELIVERIES, store.purge_deliveries),
}


async def purge(app: App, timer: Timer) -> None:
    """One stretch of a round; the timer's key says of what."""
    await purging.purge(app.db, timer, PURGES)


async def note_retention(app: App, event: Event) -> None:
    """An organization changed how long it keeps what. Raises AlreadyHandled."""
    await retention.note_change(app.db, event)
