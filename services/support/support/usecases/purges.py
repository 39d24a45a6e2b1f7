"""What support forgets with time, and how long organizations want it kept."""

from servicekit import purging, retention
from servicekit.events import Event
from servicekit.purging import Purges, TenantPurge
from servicekit.timers import Timer
from support.app import App
from support.store import purges as store
from support.tables import TICKETS

PURGES: Purges = {"tickets": TenantPurge(TICKETS, store.purge_tickets)}


async def purge(app: App, timer: Timer) -> None:
    """One stretch of a round; the timer's key says of what."""
    await purging.purge(app.db, timer, PURGES)


async def note_retention(app: App, event: Event) -> None:
    """An organization changed how long it keeps what. Raises AlreadyHandled."""
    await retention.note_change(app.db, event)
