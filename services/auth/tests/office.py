"""An organization whose owner asks about guests, and services that answer as a test wants."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.app import App
from auth.consumer import HANDLERS
from auth.domain.privacy import (
    PrivacyRequest,
    RequestKind,
    Subject,
)
from auth.store import privacy as store
from auth.tables import PRIVACY_REQUESTS
from auth.timers import TIMERS
from auth.usecases import privacy, privacy_wishes
from comptoir.analytics.v1 import events_pb2 as analytics_events
from comptoir.auth.v1 import events_pb2
from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.notification.v1 import events_pb2 as notification_events
from comptoir.payment.v1 import events_pb2 as payment_events
from comptoir.support.v1 import events_pb2 as support_events
from servicekit import idempotency, ids
from servicekit.events import Event
from servicekit.identity import Caller
from testkit import outbox, timers
from testkit.events import event_of

from .staff import by

OWNER, GUEST, PHONE = "paulette@example.org", "zephyrine@guest.example", "+33612345678"
RECEIPTS = {
    "booking": booking_events,
    "payment": payment_events,
    "notification": notification_events,
    "support": support_events,
    "analytics": analytics_events,
}
OTHERS = tuple(RECEIPTS)


@dataclass
class Office:
    """An organization whose owner asks for guests."""

    app: App
    owner: Caller

    @property
    def organization(self) -> UUID:
        return self.owner.tenant

    async def ask(
        self, kind: RequestKind, *, email: str = GUEST, phone: str = "", name: str = "", key: str = ""
    ) -> PrivacyRequest:
        assert self.owner.user is not None
        return await privacy_wishes.create_request(
            self.app,
            self.organization,
            self.owner.user,
            kind,
            Subject.of(email, phone, name),
            key=idempotency.Key(key, b"same") if key else None,
            by=by(self.owner),
        )

    async def read(self, request: PrivacyRequest) -> PrivacyRequest:
        return await privacy_wishes.get_request(self.app, self.organization, request.id)

    async def hand_in(self, request: PrivacyRequest, *services: str, word: str = "kept") -> None:
        for service in services:
            document = json.dumps({word: [service]}).encode()
            await privacy.take_part(self.app, self.organization, request.id, service, document)

    async def download(self, request: PrivacyRequest) -> dict[str, Any]:
        archive = await privacy_wishes.download(
            self.app, request.id, organization=self.organization, user_id=None, by=by(self.owner)
        )
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return {name: json.loads(opened.read(name)) for name in opened.namelist()}


def receipt(request: PrivacyRequest, service: str, **rows: int) -> Event:
    """A service says what it has erased."""
    message = RECEIPTS[service].PersonalDataErased(request_id=ids.show("prq", request.id))
    for table, count in rows.items():
        message.erased.add(table=table, rows=count)
    return event_of(message, request.organization_id)


async def give(app: App, *events: Event) -> None:
    for event in events:
        await HANDLERS[type(event.message)](app, event)


async def announced(app: App) -> Sequence[Any]:
    told = await outbox.published(app.db)
    return [
        each for each in told if isinstance(each, events_pb2.ErasureRequested | events_pb2.ExportRequested)
    ]


async def ring(app: App, kind: str) -> None:
    (timer,) = await timers.scheduled(app.db, kind)
    await TIMERS[kind](app, timer)


async def age(app: App, by_days: int) -> None:
    """Lets days pass for all requests."""
    columns = PRIVACY_REQUESTS.c
    past = {each: each - timedelta(days=by_days) for each in (columns.due_at, columns.kept_until)}
    async with app.db.begin_platform(reason="let time pass in a test") as tx:
        await tx.execute(sa.update(PRIVACY_REQUESTS).values(past))


async def sealed(app: App, request: PrivacyRequest) -> tuple[bool, bool]:
    """Whether the key of a request is there, and whom it is about."""
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        key, subject = await store.get_secrets(tx, request.id)
    return key is not None, subject is not None
