"""What is due in auth: forgetting registrations, which nobody completed or which are of no more use."""

from types import MappingProxyType
from uuid import UUID

from auth.app import App
from auth.store import registrations as store
from auth.usecases.registration import FORGET_REGISTRATION
from servicekit import timers
from servicekit.timers import Timer


async def forget_registration(app: App, timer: Timer) -> None:
    """Deletes what the person typed in. Does nothing when the registration was prolonged meanwhile."""
    async with app.db.begin_platform(reason="forget a registration") as tx:
        # The registration before the timer: the order in which everybody else locks them.
        await store.lock_registration(tx, UUID(timer.key))
        if await timers.done(tx, timer):
            await store.delete_registration(tx, UUID(timer.key))


TIMERS = MappingProxyType({FORGET_REGISTRATION: forget_registration})
