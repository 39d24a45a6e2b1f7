"""A payment service on a real database with either Stripe, and a guest who pays at it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
import stripe
from pydantic import SecretStr

from devstack.engines import StripeEngine
from payment.app import App
from payment.clients.stripe_api import StripeProvider
from payment.domain.payments import Payment, PaymentStatus
from payment.domain.refunds import Refund
from payment.settings import StripeSettings
from payment.store import payments as payment_store
from payment.store import refunds as refund_store
from payment.tables import PROVIDER_EVENTS, REFUNDS
from payment.timers import TIMERS
from payment.usecases import deposits, provider_events
from servicekit import ids
from servicekit.money import Money
from testkit import timers
from testkit.plugin import OpenDatabase
from testkit.privacy import PrivacyOffice

from .stripe_stand_in import StandIn

DEPOSIT = Money(7000, "EUR")
SECRET = "whsec_test_of_the_payment_suite_1f"
GOOD_CARD = "4242424242424242"
_KEY = "sk_test_of_the_payment_suite"


def stripe_settings(url: str, **more: float) -> StripeSettings:
    """How the adapter reaches a stand-in: impatient, and without retries unless a test asks for them."""
    values = {"timeout_seconds": 0.5, "network_retries": 0} | more
    return StripeSettings.model_validate(
        {"api_key": SecretStr(_KEY), "api_base": url, "webhook_secret": SecretStr(SECRET)} | values
    )


@dataclass(frozen=True)
class Guest:
    """Somebody with a card, at the provider. Uses its API as a browser's script would, never our service."""

    url: str

    async def pay(self, reference: str, card: str = GOOD_CARD) -> bool:
        """Pays an intent. False when the provider does not let them."""
        number = {"type": "card", "card[number]": card, "card[exp_month]": "12"}
        number |= {"card[exp_year]": "2030", "card[cvc]": "123"}
        async with httpx.AsyncClient(base_url=self.url, auth=(_KEY, ""), trust_env=False) as client:
            method = (await client.post("/v1/payment_methods", data=number)).json()["id"]
            intent = f"/v1/payment_intents/{reference}"
            await client.post(intent, data={"payment_method": method})
            return (await client.post(f"{intent}/confirm")).is_success

    async def refunds(self, reference: str) -> list[int]:
        """The amounts that came back."""
        query = {"payment_intent": reference}
        async with httpx.AsyncClient(base_url=self.url, auth=(_KEY, ""), trust_env=False) as client:
            return [each["amount"] for each in (await client.get("/v1/refunds", params=query)).json()["data"]]

    async def state(self, reference: str) -> str:
        """The provider's word for where an intent stands."""
        async with httpx.AsyncClient(base_url=self.url, auth=(_KEY, ""), trust_env=False) as client:
            return str((await client.get(f"/v1/payment_intents/{reference}")).json()["status"])


@dataclass(frozen=True)
class Till:
    """What tests do over and over, and looks at the rows behind it."""

    app: App
    guest: Guest
    organization: UUID

    async def offer(self, booking_id: UUID | None = None, amount: Money = DEPOSIT) -> Payment:
        """A deposit that waits for the guest."""
        offered = await deposits.create_deposit(
            self.app, self.organization, booking_id or ids.new(), amount=amount, description="Dinner for 7"
        )
        return offered.payment

    async def paid(self) -> Payment:
        """A deposit that is paid, and that we know to be paid."""
        payment = await self.offer()
        await self.guest.pay(reference(payment))
        status = await deposits.settle_deposit(self.app, self.organization, payment.booking_id)
        assert status is PaymentStatus.SUCCEEDED
        return await self.payment(payment)

    async def payment(self, payment: Payment) -> Payment:
        """As it stands."""
        async with self.app.db.begin(payment.organization_id) as tx:
            return await payment_store.get_payment(tx, payment.organization_id, payment.id)

    async def refunds(self) -> list[Refund]:
        """Every refund of the organization."""
        async with self.app.db.begin(self.organization) as tx:
            found = (await tx.execute(sa.select(REFUNDS.c.id))).scalars()
            return [await refund_store.get_refund(tx, self.organization, each) for each in found]

    async def receive(self, payload: bytes, secret: str = SECRET) -> None:
        """A webhook, signed as Stripe signs."""
        header = stripe.WebhookSignature.generate_signature_header(payload.decode(), secret)
        await provider_events.receive_event(self.app, payload, header)

    async def outcomes(self) -> dict[str, str | None]:
        """What became of each webhook."""
        query = sa.select(PROVIDER_EVENTS.c.event_id, PROVIDER_EVENTS.c.outcome)
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            return {row.event_id: row.outcome for row in await tx.execute(query)}

    async def run_due(self, kind: str) -> int:
        """Runs every timer of a kind, due or not; answers how many there were."""
        found = await timers.scheduled(self.app.db, kind)
        for timer in found:
            await TIMERS[kind](self.app, timer)
        return len(found)


def reference(payment: Payment) -> str:
    """The provider's name for it."""
    assert payment.provider_reference is not None
    return payment.provider_reference


def webhook(kind: str, intent: str, event_id: str = "evt_1") -> bytes:
    """A webhook about an intent. Its state is a lie, because nobody is to believe it."""
    about = {"id": intent, "object": "payment_intent", "status": "succeeded"}
    return json.dumps({"id": event_id, "object": "event", "type": kind, "data": {"object": about}}).encode()


@pytest.fixture(scope="session")
async def served_stand_in() -> AsyncIterator[StandIn]:
    async with StandIn().serve() as served:
        yield served


@pytest.fixture
def stand_in(served_stand_in: StandIn) -> StandIn:
    """The stand-in that fails on demand, without anything in it."""
    served_stand_in.forget()
    return served_stand_in


@pytest.fixture(params=["localstripe", "stand-in"])
def stripe_url(request: pytest.FixtureRequest) -> str:
    """Both stand-ins: what holds on one holds on the other."""
    if request.param == "localstripe":
        engine: StripeEngine = request.getfixturevalue("stripe_engine")
        return engine.url
    served: StandIn = request.getfixturevalue("stand_in")
    return served.url


@pytest.fixture
async def till(
    service_database: OpenDatabase, stripe_url: str, privacy_office: PrivacyOffice
) -> AsyncIterator[Till]:
    """A till at each of both stand-ins."""
    provider = StripeProvider(stripe_settings(stripe_url, timeout_seconds=5))
    app = App(await service_database("payment"), provider, privacy=privacy_office.desk_of("payment"))
    yield Till(app, Guest(stripe_url), ids.new())
    await provider.close()


@pytest.fixture
async def failing_till(
    service_database: OpenDatabase, stand_in: StandIn, privacy_office: PrivacyOffice
) -> AsyncIterator[Till]:
    """A till at the stand-in that fails on demand."""
    provider = StripeProvider(stripe_settings(stand_in.url))
    app = App(await service_database("payment"), provider, privacy=privacy_office.desk_of("payment"))
    yield Till(app, Guest(stand_in.url), ids.new())
    await provider.close()
