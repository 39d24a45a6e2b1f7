"""Taking facts in, one transaction an event, and the overview that is computed from them."""

from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics import events
from analytics.app import App
from analytics.domain.facts import BookingFact, CapacityFact, PaymentFact, RefundFact, VenueFact
from analytics.domain.figures import Overview
from analytics.domain.hours import local_day, opening_hours
from analytics.store import facts, overview
from servicekit import inbox
from servicekit.events import Event
from servicekit.privacy import Trace


async def record_venue(app: App, event: Event, fact: VenueFact) -> None:
    """Takes in what a venue said about itself. Raises AlreadyHandled."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await facts.save_venue(tx, fact)


async def record_capacity(app: App, event: Event, fact: CapacityFact) -> None:
    """Takes in what a venue has and when it is open. Raises AlreadyHandled."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await facts.save_capacity(tx, fact)


async def record_booking(app: App, event: Event, fact: BookingFact) -> None:
    """Takes in how a booking stands, its venue known or not. Raises AlreadyHandled."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await facts.save_booking(tx, fact)


async def record_payment(app: App, event: Event, fact: PaymentFact) -> None:
    """Takes in a paid deposit, its booking known or not. Raises AlreadyHandled."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await facts.save_payment(tx, fact)


async def record_refund(app: App, event: Event, fact: RefundFact) -> None:
    """Takes in money given back, its payment known or not. Raises AlreadyHandled."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await facts.save_refund(tx, fact)


async def give_receipt(app: App, event: Event, trace: Trace) -> None:
    """A person is forgotten. No fact says who anybody is: nothing is to be erased. Raises AlreadyHandled."""
    async with app.db.begin_platform(reason="give the receipt of an erasure") as tx:
        await inbox.claim(tx, event)
        await events.personal_data_erased(tx, trace.request_id, event.organization)


async def export_facts(app: App, event: Event, trace: Trace) -> None:
    """Hands in the facts about the bookings; of an account there are none.

    Raises:
        AlreadyHandled: it was done before.
        AppError: auth did not take it.
    """
    if trace.user is not None:
        await app.privacy.hand_in(None, trace.request_id, {})
    else:
        async with app.db.begin(event.tenant) as tx:
            kept = await facts.read_facts(tx, trace.bookings)
        await app.privacy.hand_in(event.tenant, trace.request_id, kept)
    async with app.db.begin_platform(reason="note that an export is handed in") as tx:
        await inbox.claim(tx, event)


async def get_overview(app: App, organization: UUID, venue_id: UUID, *, day: date | None) -> Overview:
    """A venue's numbers of one local day; of today on its own clock when `day` is None.

    Raises:
        VenueNotFound: no fact about the venue has arrived yet.
    """
    async with app.db.begin(organization) as tx:
        time_zone, currency = await overview.get_venue(tx, venue_id)
        zone = ZoneInfo(time_zone)
        day = day or tx.now.astimezone(zone).date()
        span = local_day(day, zone)
        version, windows = await overview.get_capacity(tx, venue_id, until=span.end)
        figures = await overview.get_figures(
            tx,
            venue_id,
            service_day=day,
            local_day=span,
            capacity=version,
            hours=opening_hours(day, windows, zone),
            currency=currency,
        )
    return Overview(day, time_zone, figures.service, figures.activity, figures.as_of)
