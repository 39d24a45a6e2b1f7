"""Tickets go long after they were resolved, as their organization wants; open ones never do."""

import random
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from comptoir.auth.v1 import events_pb2 as auth_events
from servicekit import ids, purging, retention
from servicekit.inbox import AlreadyHandled
from servicekit.retention import Periods, Retention
from support.app import App
from support.consumer import HANDLERS
from support.domain import TicketNotFound
from support.tables import MESSAGES, TICKETS
from support.timers import TIMERS
from support.usecases import tickets
from testkit.events import event_of
from testkit.purging import keep_for, purge

from .conftest import Desk

DAYS = (1, 2, 30, 89, 90, 91, 729, 730, 731, 3650)
MARGIN = timedelta(minutes=1)
"""What no age is nearer to a bound than, so that the time a test takes decides nothing."""


async def keys(app: App, column: sa.Column[UUID]) -> set[UUID]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return set((await tx.execute(sa.select(column))).scalars())


@pytest.mark.parametrize("seed", range(4))
async def test_tickets_go_when_they_were_resolved_long_ago_and_no_others(app: App, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    async with app.db.begin_platform(reason="ask for the time in a test") as tx:
        now = tx.now
    rows, texts, kept = [], [], set()
    for days in (None, *chance.choices(DAYS, k=3)):
        organization = ids.new()
        if days is not None:
            await keep_for(app.db, organization, {"ticket_days": days})
        for _ in range(chance.choice([3, 30, purging.BATCH + 1])):
            ticket = ids.new()
            age = timedelta(days=chance.choice(DAYS)) + chance.choice([MARGIN, -MARGIN])
            status = chance.choice(["open", "answered", "resolved"])
            resolved = now - age if status == "resolved" else None
            row = {"organization_id": organization, "id": ticket, "booking_id": ids.new(), "subject": "Nuts"}
            rows.append(row | {"status": status, "created_at": now - age, "resolved_at": resolved})
            text = {"organization_id": organization, "id": ids.new(), "ticket_id": ticket, "text": "Any?"}
            texts.append(text | {"author": "guest", "staff_user_id": None, "created_at": now - age})
            if resolved is None or age <= timedelta(days=days or 730):
                kept.add(ticket)
    async with app.db.begin_platform(reason="make rows in a test") as tx:
        await tx.execute(sa.insert(TICKETS), rows)
        await tx.execute(sa.insert(MESSAGES), texts)
    await purge(app, app.db, TIMERS, "tickets")
    assert await keys(app, TICKETS.c.id) == await keys(app, MESSAGES.c.ticket_id) == kept
    assert kept < {row["id"] for row in rows}


async def test_a_ticket_that_is_answered_meanwhile_is_told_of_no_more(desk: Desk) -> None:
    """Staff who look at it at that moment learn that it is gone; nothing of it is left."""
    ticket = await desk.open()
    await tickets.resolve_ticket(desk.app, desk.organization, ticket.id)
    async with desk.app.db.begin(desk.organization) as tx:
        await tx.execute(sa.update(TICKETS).values(resolved_at=TICKETS.c.resolved_at - timedelta(days=731)))
    await purge(desk.app, desk.app.db, TIMERS, "tickets")
    with pytest.raises(TicketNotFound):
        await desk.answer(ticket)
    assert await keys(desk.app, MESSAGES.c.id) == set()


async def test_what_an_organization_wants_is_copied_twice_and_out_of_order(app: App) -> None:
    organization = ids.new()
    told = {"guest_days": 1, "wish_days": 1, "mail_days": 1, "delivery_days": 1}
    second, third = (
        event_of(
            auth_events.RetentionChanged(version=version, ticket_days=version * 10, **told), organization
        )
        for version in (2, 3)
    )
    for event in (third, second):
        await HANDLERS[auth_events.RetentionChanged](app, event)
    with pytest.raises(AlreadyHandled):
        await HANDLERS[auth_events.RetentionChanged](app, third)
    async with app.db.begin(organization) as tx:
        assert await retention.read(tx) == Retention(3, Periods(1, 1, 30, 1, 1))
    async with app.db.begin(ids.new()) as tx:
        assert await retention.read(tx) == Retention()
