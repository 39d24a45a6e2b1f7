"""What auth forgets by its age alone. What has a timer of its own is not here."""

from auth.app import App
from auth.store import purges as store
from auth.tables import SESSIONS
from servicekit import purging
from servicekit.purging import PlatformPurge, Purges, TenantPurge
from servicekit.timers import Timer

PURGES: Purges = {
    "sessions": TenantPurge(SESSIONS, store.purge_sessions),
    "leftovers": PlatformPurge(store.purge_leftovers),
}


async def purge(app: App, timer: Timer) -> None:
    """One stretch of a round; the timer's key says of what."""
    await purging.purge(app.db, timer, PURGES)
