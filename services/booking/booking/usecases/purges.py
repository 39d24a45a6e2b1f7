"""What booking forgets with time, and how long organizations want it kept."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from booking.app import App
from booking.store.purges import visits, waiting
from booking.tables import SERIES, SERVICE_DAYS, WAITLIST_ENTRIES
from servicekit import purging, retention
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.purging import OfTenant, Purged, Purges, TenantPurge
from servicekit.retention import Periods
from servicekit.timers import Timer

_Batch = Callable[[Transaction, datetime, int], Awaitable[Purged]]


def _after_guest_days(batch: _Batch) -> OfTenant:
    async def purge_batch(tx: Transaction, periods: Periods, most: int) -> Purged:
        return await batch(tx, retention.before(tx, periods.guest_days), most)

    return purge_batch


def _after_wish_days(batch: _Batch) -> OfTenant:
    async def purge_batch(tx: Transaction, periods: Periods, most: int) -> Purged:
        return await batch(tx, retention.before(tx, periods.wish_days), most)

    return purge_batch


PURGES: Purges = {
    "guests": TenantPurge(SERVICE_DAYS, _after_guest_days(visits.purge_guests)),
    "wishes": TenantPurge(SERVICE_DAYS, _after_wish_days(visits.purge_wishes)),
    "waitlist": TenantPurge(WAITLIST_ENTRIES, _after_guest_days(waiting.purge_entries)),
    "waitlist_wishes": TenantPurge(WAITLIST_ENTRIES, _after_wish_days(waiting.purge_entry_wishes)),
    "series": TenantPurge(SERIES, _after_guest_days(waiting.purge_series)),
    "series_wishes": TenantPurge(SERIES, _after_wish_days(waiting.purge_series_wishes)),
}


async def purge(app: App, timer: Timer) -> None:
    """One stretch of a round; the timer's key says of what."""
    await purging.purge(app.db, timer, PURGES)


async def note_retention(app: App, event: Event) -> None:
    """An organization changed how long it keeps what. Raises AlreadyHandled."""
    await retention.note_change(app.db, event)
