"""Mails and deliveries go after their time, as their organization wants, and nothing unsent ever does."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from comptoir.auth.v1 import events_pb2 as auth_events
from notification.app import App
from notification.consumer import HANDLERS
from notification.tables import NOTIFICATIONS, WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from notification.timers import TIMERS
from servicekit import ids, purging, retention
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from servicekit.retention import Periods, Retention
from testkit.events import event_of
from testkit.purging import keep_for, purge

DAYS = (1, 2, 29, 30, 31, 60, 89, 90, 91, 400)
MARGIN = timedelta(minutes=1)
"""What no age is nearer to a bound than, so that the time a test takes decides nothing."""
MAIL_STATUSES = ("scheduled", "sending", "sent", "cancelled", "failed", "suppressed")


async def insert(app: App, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    async with app.db.begin_platform(reason="make rows in a test") as tx:
        await tx.execute(sa.insert(table), rows)


async def keys(app: App, table: sa.Table, column: str = "id") -> set[UUID]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return set((await tx.execute(sa.select(table.c[column]))).scalars())


async def clock(app: App) -> datetime:
    async with app.db.begin_platform(reason="ask for the time in a test") as tx:
        return tx.now


def some_age(chance: random.Random) -> timedelta:
    return timedelta(days=chance.choice(DAYS)) + chance.choice([MARGIN, -MARGIN])


def some_mail(organization: UUID | None, now: datetime, chance: random.Random) -> dict[str, Any]:
    status = chance.choice(MAIL_STATUSES)
    return {
        "id": ids.new(),
        "organization_id": organization,
        "kind": "booking_confirmed" if organization else "account",
        "subject_id": ids.new(),
        "version": 1,
        "status": status,
        "due_at": now - some_age(chance),
        "sent_at": now - some_age(chance) if status == "sent" else None,
        "starts_at": chance.choice([None, now - some_age(chance), now + some_age(chance)]),
    }


def keeps(mail: dict[str, Any], now: datetime, days: int) -> bool:
    """The rule, said as plainly as can be."""
    if mail["status"] in {"scheduled", "sending"}:
        return True
    moments = [mail["sent_at"] or mail["due_at"]]
    if mail["starts_at"]:
        moments.append(mail["starts_at"])
    return any(now - moment <= timedelta(days=days) for moment in moments)


@pytest.mark.parametrize("seed", range(4))
async def test_mails_go_when_they_are_over_and_old_and_no_others(app: App, seed: int) -> None:
    chance, now = random.Random(seed), await clock(app)  # noqa: S311
    periods: dict[UUID | None, int] = {None: 90, ids.new(): 90}
    for _ in range(3):
        organization, days = ids.new(), chance.choice(DAYS)
        periods[organization] = days
        await keep_for(app.db, organization, {"mail_days": days})
    mails = [
        some_mail(organization, now, chance)
        for organization in periods
        for _ in range(chance.choice([5, 50, 2 * purging.BATCH + 1]))
    ]
    await insert(app, NOTIFICATIONS, mails)
    await purge(app, app.db, TIMERS, "mails", "account_mails")
    kept = {mail["id"] for mail in mails if keeps(mail, now, periods[mail["organization_id"]])}
    assert await keys(app, NOTIFICATIONS) == kept


@pytest.mark.parametrize("seed", range(4))
async def test_deliveries_go_when_they_ended_and_are_old_and_no_others(app: App, seed: int) -> None:
    chance, now = random.Random(seed), await clock(app)  # noqa: S311
    deliveries, kept = [], set()
    for days in (30, chance.choice(DAYS), chance.choice(DAYS)):
        organization, endpoint = ids.new(), ids.new()
        await keep_for(app.db, organization, {"delivery_days": days})
        row = {"organization_id": organization, "id": endpoint, "url": "https://partner.example"}
        await insert(app, WEBHOOK_ENDPOINTS, [row | {"event_types": [], "sealed_secret": b""}])
        for _ in range(chance.choice([5, purging.BATCH + 1])):
            status, age = chance.choice(["pending", "delivered", "failed"]), some_age(chance)
            delivery = {
                "organization_id": organization,
                "id": ids.new(),
                "endpoint_id": endpoint,
                "event_id": ids.new(),
                "event_type": "booking.confirmed",
                "body": b"{}",
                "status": status,
                "next_attempt_at": now if status == "pending" else None,
                "created_at": now - age,
            }
            deliveries.append(delivery)
            if status == "pending" or age <= timedelta(days=days):
                kept.add(delivery["id"])
    await insert(app, WEBHOOK_DELIVERIES, deliveries)
    attempt = {"number": 1, "attempted_at": now, "response_status": 200, "error": ""}
    await insert(
        app,
        WEBHOOK_ATTEMPTS,
        [
            attempt | {"organization_id": each["organization_id"], "delivery_id": each["id"]}
            for each in deliveries
        ],
    )
    await purge(app, app.db, TIMERS, "deliveries")
    assert await keys(app, WEBHOOK_DELIVERIES) == kept
    assert await keys(app, WEBHOOK_ATTEMPTS, "delivery_id") == kept


def change(organization: UUID, version: int, mail_days: int) -> Event:
    """As auth tells it."""
    message = auth_events.RetentionChanged(
        organization_id=ids.show("org", organization),
        version=version,
        guest_days=730,
        wish_days=90,
        ticket_days=730,
        mail_days=mail_days,
        delivery_days=30,
    )
    return event_of(message, organization)


async def deliver(app: App, event: Event) -> bool:
    try:
        await HANDLERS[auth_events.RetentionChanged](app, event)
    except AlreadyHandled:
        return False
    return True


async def test_what_an_organization_wants_is_copied_twice_and_out_of_order(app: App) -> None:
    organization = ids.new()
    second, third = change(organization, 2, 10), change(organization, 3, 20)
    assert await deliver(app, third)
    assert await deliver(app, second)
    assert not await deliver(app, third)
    async with app.db.begin(organization) as tx:
        assert await retention.read(tx) == Retention(3, Periods(mail_days=20))
    async with app.db.begin(ids.new()) as tx:
        assert await retention.read(tx) == Retention()
