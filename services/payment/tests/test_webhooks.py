"""Webhooks: believed only when signed, kept once, handled in any order, never trusted for what they say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from comptoir.payment.v1 import payment_pb2 as pb
from comptoir.payment.v1.payment_pb2_grpc import DepositServiceStub
from devstack.engines import StripeEngine
from payment.domain.errors import StripeSignatureInvalid
from payment.domain.payments import PaymentStatus
from payment.servicer import servicers
from payment.timers import TIMERS
from payment.usecases.provider_events import HANDLE_PROVIDER_EVENT
from servicekit import admin
from servicekit.errors import Unavailable
from testkit import eventually, outbox, timers
from testkit.callers import service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import SECRET, Till, reference, webhook
from .stripe_stand_in import Fault, StandIn


async def test_a_webhook_about_a_paid_intent_makes_the_payment_known(till: Till) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    await till.receive(webhook("payment_intent.succeeded", reference(payment)))
    assert await till.run_due(HANDLE_PROVIDER_EVENT) == 1
    assert (await till.payment(payment)).status is PaymentStatus.SUCCEEDED
    assert await till.outcomes() == {"evt_1": "followed"}
    assert len(await outbox.published(till.app.db)) == 1


async def test_a_webhook_that_claims_what_the_provider_does_not_say_changes_nothing(
    till: Till,
) -> None:
    payment = await till.offer()
    await till.receive(webhook("payment_intent.succeeded", reference(payment)))
    await till.run_due(HANDLE_PROVIDER_EVENT)
    assert (await till.payment(payment)).status is PaymentStatus.PENDING
    assert await outbox.published(till.app.db) == []


async def test_a_forged_webhook_leaves_no_trace(till: Till) -> None:
    payment = await till.offer()
    with pytest.raises(StripeSignatureInvalid):
        await till.receive(webhook("payment_intent.succeeded", reference(payment)), "whsec_somebody_elses")
    assert await till.outcomes() == {}
    assert await timers.scheduled(till.app.db, HANDLE_PROVIDER_EVENT) == []


async def test_the_same_webhook_many_times_at_once_is_kept_and_handled_once(till: Till) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    event = webhook("payment_intent.succeeded", reference(payment))
    await asyncio.gather(*(till.receive(event) for _ in range(5)))
    assert await till.run_due(HANDLE_PROVIDER_EVENT) == 1
    await till.receive(event)
    assert await till.run_due(HANDLE_PROVIDER_EVENT) == 0
    assert len(await outbox.published(till.app.db)) == 1


async def test_webhooks_in_any_order_and_two_handlers_at_once_tell_of_the_payment_once(
    till: Till,
) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    for number, kind in enumerate(("payment_intent.succeeded", "charge.succeeded", "payment_intent.created")):
        await till.receive(webhook(kind, reference(payment), f"evt_{number}"))
    found = await timers.scheduled(till.app.db, HANDLE_PROVIDER_EVENT)
    handle = TIMERS[HANDLE_PROVIDER_EVENT]
    await asyncio.gather(*(handle(till.app, timer) for timer in [*found, *found]))
    assert (await till.payment(payment)).status is PaymentStatus.SUCCEEDED
    assert set((await till.outcomes()).values()) == {"followed"}
    assert len(await outbox.published(till.app.db)) == 1


async def test_a_closed_intent_closes_the_payment(till: Till) -> None:
    payment = await till.offer()
    await till.app.provider.close_intent(reference(payment))
    await till.receive(webhook("payment_intent.canceled", reference(payment)))
    await till.run_due(HANDLE_PROVIDER_EVENT)
    assert (await till.payment(payment)).status is PaymentStatus.CANCELLED


async def test_a_webhook_about_something_unknown_is_kept_and_asks_nobody(
    failing_till: Till, stand_in: StandIn
) -> None:
    await failing_till.receive(webhook("payment_intent.succeeded", "pi_of_another_account"))
    await failing_till.receive(
        b'{"id": "evt_2", "type": "x", "data": {"object": {"id": "cus_1", "object": "customer"}}}'
    )
    assert await failing_till.run_due(HANDLE_PROVIDER_EVENT) == 1
    assert await failing_till.outcomes() == {"evt_1": "unknown", "evt_2": "ignored"}
    assert stand_in.requests == []


async def test_a_webhook_waits_for_a_provider_that_is_away(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    await failing_till.guest.pay(reference(payment))
    await failing_till.receive(webhook("payment_intent.succeeded", reference(payment)))
    stand_in.fail("GET /v1/payment_intents/{id}", Fault.BROKEN)
    with pytest.raises(Unavailable):
        await failing_till.run_due(HANDLE_PROVIDER_EVENT)
    assert await failing_till.outcomes() == {"evt_1": None}
    await failing_till.run_due(HANDLE_PROVIDER_EVENT)
    assert (await failing_till.payment(payment)).status is PaymentStatus.SUCCEEDED


@pytest.fixture
async def edge(till: Till, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("payment", servicers(till.app))


@pytest.fixture
async def hook(edge: Edge) -> AsyncIterator[str]:
    """Passes Stripe's webhooks on byte for byte, as the gateway does."""

    async def forward(request: Request) -> Response:
        message = pb.ReceiveStripeEventRequest(
            payload=await request.body(), signature=request.headers["stripe-signature"]
        )
        await edge.call(DepositServiceStub, "ReceiveStripeEvent", message, caller=service("gateway"))
        return Response(status_code=204)

    app = Starlette(routes=[Route("/hooks/stripe", forward, methods=["POST"])])
    async with admin.serve(app, "127.0.0.1:0") as server:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/hooks/stripe"


@pytest.mark.parametrize("stripe_url", ["localstripe"], indirect=True)
async def test_localstripes_own_signed_webhook_reports_the_payment(
    till: Till, stripe_engine: StripeEngine, hook: str
) -> None:
    stripe_engine.register_webhook("payment-suite", url=hook, secret=SECRET)
    payment = await till.offer()
    await till.guest.pay(reference(payment))

    async def followed() -> bool:
        await till.run_due(HANDLE_PROVIDER_EVENT)
        return "followed" in (await till.outcomes()).values()

    probe: Callable[[], Any] = followed
    assert await eventually(probe)
    assert (await till.payment(payment)).status is PaymentStatus.SUCCEEDED
