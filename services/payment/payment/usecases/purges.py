"""What payment forgets with time. Payments and refunds stay: the law wants them, and they name nobody."""

from payment.app import App
from payment.store import purges as store
from servicekit import purging
from servicekit.purging import PlatformPurge, Purges
from servicekit.timers import Timer

PURGES: Purges = {"provider_events": PlatformPurge(store.purge_provider_events)}


async def purge(app: App, timer: Timer) -> None:
    """One stretch of a round; the timer's key says of what."""
    await purging.purge(app.db, timer, PURGES)
