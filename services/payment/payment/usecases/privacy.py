"""Payment's part in requests about persons. It knows bookings, never people, and keeps what the law wants."""

from collections.abc import Sequence
from uuid import UUID

from payment import events
from payment.app import App
from payment.store import privacy as store
from servicekit import inbox
from servicekit.events import Event
from servicekit.privacy import Trace

NOTHING = {"payments": 0, "refunds": 0}
"""Amounts, dates and ids stay; whose they were, nobody can tell once booking has forgotten it."""


async def list_open_payments(app: App, organization: UUID, bookings: Sequence[UUID]) -> list[UUID]:
    """The payments for some bookings by which money is on its way."""
    async with app.db.begin(organization) as tx:
        return await store.list_open(tx, bookings)


async def erase(app: App, event: Event, trace: Trace) -> None:
    """Gives the receipt: there is nothing of a person to erase. Raises AlreadyHandled."""
    async with app.db.begin_platform(reason="give the receipt of an erasure") as tx:
        await inbox.claim(tx, event)
        await events.personal_data_erased(tx, trace.request_id, event.organization, NOTHING)


async def export(app: App, event: Event, trace: Trace) -> None:
    """Hands in what was paid for the bookings; of an account there is nothing. Raises likewise."""
    if trace.user is not None:
        await app.privacy.hand_in(None, trace.request_id, {})
    else:
        async with app.db.begin(event.tenant) as tx:
            kept = await store.read(tx, trace.bookings)
        await app.privacy.hand_in(event.tenant, trace.request_id, kept)
    async with app.db.begin_platform(reason="note that an export is handed in") as tx:
        await inbox.claim(tx, event)
