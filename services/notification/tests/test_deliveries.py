"""Webhooks reach a real HTTP server, signed; failures come again; one dead partner holds up nobody."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from aiohttp import web
from prometheus_client import REGISTRY
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from comptoir.booking.v1.events_pb2 import BookingCancelled, BookingConfirmed, BookingHeld
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from comptoir.support.v1 import events_pb2 as support_events
from notification.domain.webhooks import Answer, next_try
from notification.store import endpoints as endpoint_store
from notification.tables import WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from notification.timers import TIMERS
from notification.usecases import webhooks
from notification.usecases.deliveries import sign
from notification.usecases.facts import DELIVER_WEBHOOK
from servicekit import ids
from servicekit.timers import TimerLoop
from testkit import eventually
from testkit.timers import scheduled

from .conftest import Desk, Partner


async def _attempts(desk: Desk) -> list[tuple[int, str]]:
    async with desk.app.db.begin_platform(reason="look into the database in a test") as tx:
        rows = await tx.execute(sa.select(WEBHOOK_ATTEMPTS).order_by(WEBHOOK_ATTEMPTS.c.number))
        return [(row.response_status, row.error) for row in rows]


async def _endpoint(desk: Desk) -> sa.Row[tuple[object, ...]]:
    async with desk.app.db.begin_platform(reason="look into the database in a test") as tx:
        return (await tx.execute(sa.select(WEBHOOK_ENDPOINTS))).one()


def test_the_signature_is_that_of_the_specification() -> None:
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        moment=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_the_official_verifier_accepts_what_arrives(desk: Desk, partner: Partner) -> None:
    _, secret = await desk.listens(partner.url, "booking.confirmed")
    await desk.happens(BookingHeld)
    event = await desk.happens(BookingConfirmed)
    await desk.fire(DELIVER_WEBHOOK)
    ((headers, body),) = partner.posts
    payload = Webhook(secret).verify(body, dict(headers))
    assert payload == {
        "type": "booking.confirmed",
        "timestamp": event.time.isoformat().replace("+00:00", "Z"),
        "data": {
            "booking_id": desk.reference,
            "venue_id": ids.show("ven", desk.organization),
            "organization_id": ids.show("org", desk.organization),
            "status": "confirmed",
            "party_size": 7,
            "start": _local(desk.starts_at),
            "end": _local(desk.starts_at + timedelta(hours=2)),
            "service_date": desk.starts_at.date().isoformat(),
            "version": 2,
        },
    }
    (row,) = await desk.deliveries()
    assert dict(headers)["webhook-id"] == ids.show("msg", row.id)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(body, dict(headers))


def _local(moment: datetime) -> str:
    return (moment + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00"


async def test_payments_and_tickets_are_told_thin(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    payment, ticket, message = (
        ids.show("pay", ids.new()),
        ids.show("tkt", ids.new()),
        ids.show("tms", ids.new()),
    )
    money = values_pb2.Money(amount=7000, currency="EUR")
    about = {"booking_id": desk.reference}
    await desk.tell(payment_events.PaymentSucceeded(payment_id=payment, amount=money, **about))
    await desk.tell(payment_events.PaymentRefunded(payment_id=payment, refunded=money, **about))
    await desk.tell(support_events.TicketOpened(ticket_id=ticket, **about))
    await desk.tell(support_events.TicketAnswered(ticket_id=ticket, message_id=message, **about))
    await desk.fire(DELIVER_WEBHOOK)
    told = {json.loads(body)["type"]: json.loads(body)["data"] for _, body in partner.posts}
    common = {**about, "organization_id": ids.show("org", desk.organization)}
    assert told == {
        "payment.succeeded": {**common, "payment_id": payment, "amount": {"amount": 7000, "currency": "EUR"}},
        "payment.refunded": {
            **common,
            "payment_id": payment,
            "refunded": {"amount": 7000, "currency": "EUR"},
        },
        "ticket.opened": {**common, "ticket_id": ticket},
        "ticket.answered": {**common, "ticket_id": ticket, "message_id": message},
    }


async def test_a_repeated_event_is_delivered_once_and_an_old_one_still(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    confirmed, cancelled = desk.change(BookingConfirmed), desk.change(BookingCancelled)
    for event in (cancelled, confirmed, cancelled, confirmed):
        await desk.deliver(event)
    await desk.fire(DELIVER_WEBHOOK)
    assert sorted(partner.types()) == ["booking.cancelled", "booking.confirmed"]


async def test_a_500_is_retried_under_the_same_id_until_it_is_taken(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    partner.answers = [web.Response(status=500)]
    await desk.happens(BookingConfirmed)
    await desk.fire(DELIVER_WEBHOOK)
    assert (await _endpoint(desk)).failing_since is not None
    await desk.fire(DELIVER_WEBHOOK)
    (first, _), (second, _) = partner.posts
    assert first["webhook-id"] == second["webhook-id"]
    (row,) = await desk.deliveries()
    assert (row.status, row.next_attempt_at) == ("delivered", None)
    assert await _attempts(desk) == [(500, "http_error"), (204, "")]
    assert (await _endpoint(desk)).failing_since is None
    assert await scheduled(desk.app.db, DELIVER_WEBHOOK) == []


async def test_after_the_last_wait_a_delivery_has_failed(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    partner.answers = [web.Response(status=503) for _ in range(9)]
    await desk.happens(BookingConfirmed)
    for _ in range(6):
        await desk.fire(DELIVER_WEBHOOK)
    assert len(partner.posts) == 4
    (row,) = await desk.deliveries()
    assert row.status == "failed"


async def test_a_redirect_is_a_failure_and_not_followed(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    partner.answers = [web.Response(status=302, headers={"Location": partner.url})]
    await desk.happens(BookingConfirmed)
    await desk.fire(DELIVER_WEBHOOK)
    assert len(partner.posts) == 1
    assert await _attempts(desk) == [(302, "redirect")]


async def test_410_switches_the_endpoint_off(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    partner.answers = [web.Response(status=410)]
    await desk.happens(BookingConfirmed)
    await desk.fire(DELIVER_WEBHOOK)
    assert (await _endpoint(desk)).disabled
    await desk.happens(BookingCancelled)
    assert [row.status for row in await desk.deliveries()] == ["failed"]


async def test_five_days_of_failures_switch_the_endpoint_off(desk: Desk, partner: Partner) -> None:
    endpoint, _ = await desk.listens(partner.url)
    partner.answers = [web.Response(status=500), web.Response(status=500)]
    await desk.happens(BookingConfirmed)
    await desk.happens(BookingCancelled)
    first, second = await scheduled(desk.app.db, DELIVER_WEBHOOK)
    for days, disabled in ((4, False), (5, True)):
        async with desk.app.db.begin(desk.organization) as tx:
            since = tx.now - timedelta(days=days)
            await endpoint_store.save_endpoint(tx, endpoint, disabled=False, failing_since=since)
        await TIMERS[DELIVER_WEBHOOK](desk.app, first if days < 5 else second)
        assert (await _endpoint(desk)).disabled is disabled
    await desk.fire(DELIVER_WEBHOOK)
    assert [row.status for row in await desk.deliveries()] == ["failed", "failed"]


async def test_removing_an_endpoint_drops_what_was_to_be_delivered(desk: Desk, partner: Partner) -> None:
    endpoint, _ = await desk.listens(partner.url)
    await desk.happens(BookingConfirmed)
    await webhooks.delete_endpoint(desk.app, desk.organization, endpoint)
    await desk.fire(DELIVER_WEBHOOK)
    assert partner.posts == []
    assert await scheduled(desk.app.db, DELIVER_WEBHOOK) == []


async def test_a_try_that_was_cut_short_is_counted_and_made_again(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    await desk.happens(BookingConfirmed)
    async with desk.app.db.begin(desk.organization) as tx:  # as if the process had died while it posted
        await tx.execute(sa.update(WEBHOOK_DELIVERIES).values(in_flight_since=tx.now, attempts=1))
    before = REGISTRY.get_sample_value("comptoir_webhooks_ambiguous_total") or 0.0
    await desk.fire(DELIVER_WEBHOOK)
    assert REGISTRY.get_sample_value("comptoir_webhooks_ambiguous_total") == before + 1
    assert await _attempts(desk) == [(0, "interrupted"), (204, "")]


async def test_a_failing_endpoint_is_tried_by_one_at_a_time(desk: Desk, partner: Partner) -> None:
    await desk.listens(partner.url)
    partner.answers = [web.Response(status=500)]
    await desk.happens(BookingConfirmed)
    await desk.fire(DELIVER_WEBHOOK)
    await desk.happens(BookingCancelled)
    partner.hangs = asyncio.Event()
    first, second = await scheduled(desk.app.db, DELIVER_WEBHOOK)
    running = asyncio.ensure_future(TIMERS[DELIVER_WEBHOOK](desk.app, first))
    await eventually(lambda: len(partner.posts) == 2)
    await TIMERS[DELIVER_WEBHOOK](desk.app, second)
    assert len(partner.posts) == 2
    partner.hangs.set()
    await running
    await desk.fire(DELIVER_WEBHOOK)
    assert len(partner.posts) == 3


async def test_a_hanging_endpoint_holds_up_nobody_else(
    desk: Desk, partner: Partner, another_partner: Partner
) -> None:
    another_partner.hangs = asyncio.Event()
    await desk.listens(another_partner.url, "booking.confirmed")
    await desk.listens(partner.url, "booking.cancelled")
    stop = asyncio.Event()
    loop = asyncio.create_task(TimerLoop(desk.app, desk.app.db, TIMERS).run(stop))
    await desk.happens(BookingConfirmed)
    await eventually(lambda: len(another_partner.posts) == 1)
    await desk.happens(BookingCancelled)
    await eventually(lambda: partner.types() == ["booking.cancelled"], timeout=1.2)
    another_partner.hangs.set()
    stop.set()
    await loop


_SCHEDULE = [timedelta(seconds=5), timedelta(minutes=5)]


@pytest.mark.parametrize(
    ("attempts", "answer", "seconds"),
    [
        (1, Answer(500, "http_error"), 5),
        (2, Answer(0, "timeout"), 300),
        (3, Answer(500, "http_error"), None),
        (1, Answer(410, "gone"), None),
        (1, Answer(429, "http_error", timedelta(seconds=120)), 120),
        (1, Answer(429, "http_error", timedelta(seconds=1)), 5),
        (1, Answer(503, "http_error", timedelta(days=400)), 86400),
    ],
)
def test_the_next_wait(attempts: int, answer: Answer, seconds: float | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert next_try(_SCHEDULE, attempts, answer, jitter=1) == expected


def test_jitter_spreads_the_schedule() -> None:
    failed = Answer(500, "http_error")
    assert next_try(_SCHEDULE, 2, failed, jitter=0.8) == timedelta(minutes=4)
    assert next_try(_SCHEDULE, 2, failed, jitter=1.2) == timedelta(minutes=6)
