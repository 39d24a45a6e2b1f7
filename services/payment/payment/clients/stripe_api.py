"""Stripe as the provider. The only module that knows its API; keys, secrets and its error texts end here."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import stripe
from opentelemetry.trace import SpanKind
from prometheus_client import Histogram
from stripe import PaymentIntent, StripeClient

from payment.clients.minor_units import to_stripe
from payment.clients.stripe_http import StripeHttp
from payment.domain.errors import ProviderRefused, StripeEventInvalid, StripeSignatureInvalid
from payment.domain.payments import Payment
from payment.domain.provider import GivenBack, Intent, IntentStatus, ProviderEvent, RefundAnswer
from payment.domain.refunds import Refund
from payment.settings import LIVE_KEYS, StripeSettings
from servicekit import deadline, ids, telemetry
from servicekit.errors import AppError, DeadlineExceeded, Unavailable

BUDGET_SECONDS = 20.0
"""The longest that any call takes, all its retries included."""

_API_VERSION = "2026-07-29.dahlia"
"""The last one that lets us name the kinds of payment by `payment_method_types`; 2026-09-30.endive refuses it
(docs.stripe.com/changelog/endive) in favour of `allowed_payment_method_types`, which localstripe refuses."""
_TOLERANCE_SECONDS = 300
_MOST_REFUNDS = 100
_NO = (stripe.InvalidRequestError, stripe.CardError, stripe.IdempotencyError)

_CALLS = Histogram(
    "comptoir_provider_call_seconds",
    "Calls to the payment provider by how they ended.",
    ["provider", "operation", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
_log = telemetry.logger(__name__)


class StripeProvider:
    """Speaks to one Stripe account."""

    name = "stripe"

    def __init__(self, settings: StripeSettings) -> None:
        self._webhook_secret = settings.webhook_secret.get_secret_value()
        self._live = settings.api_key.get_secret_value().startswith(LIVE_KEYS)
        self._http = StripeHttp(timeout_seconds=settings.timeout_seconds)
        self._client = StripeClient(
            settings.api_key.get_secret_value(),
            stripe_version=_API_VERSION,
            base_addresses={"api": settings.api_base} if settings.api_base else {},
            max_network_retries=settings.network_retries,
            http_client=self._http,
        )

    async def make_intent(self, payment: Payment) -> Intent:
        """As Provider. The key makes a repetition harmless: Stripe answers the first intent for 24 hours.

        A sandbox takes no real money: with a live account its deposits are refused, before anything is sent.
        """
        if self._live and ids.is_sandbox(payment.organization_id):
            raise ProviderRefused
        async with self._asking("make_intent"):
            made = await self._client.v1.payment_intents.create_async(
                {
                    "amount": to_stripe(payment.amount),
                    "currency": payment.amount.currency.lower(),
                    "payment_method_types": ["card"],  # type: ignore[typeddict-unknown-key]  # see _API_VERSION
                    "metadata": {
                        "payment_id": ids.show("pay", payment.id),
                        "booking_id": ids.show("bkg", payment.booking_id),
                        "organization_id": ids.show("org", payment.organization_id),
                        "description": payment.description,
                    },
                },
                {"idempotency_key": f"deposit:{payment.id}"},
            )
        return _intent(made)

    async def find_intent(self, reference: str) -> Intent:
        """As Provider."""
        async with self._asking("find_intent"):
            return _intent(await self._client.v1.payment_intents.retrieve_async(reference))

    async def close_intent(self, reference: str) -> Intent:
        """As Provider. Stripe refuses to cancel what was paid in between; its state then says so."""
        found = await self.find_intent(reference)
        if found.status is not IntentStatus.OPEN:
            return found
        try:
            async with self._asking("close_intent"):
                return _intent(await self._client.v1.payment_intents.cancel_async(reference))
        except ProviderRefused:
            return await self.find_intent(reference)

    async def give_back(self, reference: str, refund: Refund) -> RefundAnswer:
        """As Provider. Looks first, because the key is forgotten after a day, and by stand-ins at once."""
        refund_id = ids.show("ref", refund.id)
        async with self._asking("find_refund"):
            made = await self._client.v1.refunds.list_async(
                {"payment_intent": reference, "limit": _MOST_REFUNDS}
            )
        for earlier in made.data:
            if earlier.metadata is not None and earlier.metadata.to_dict().get("refund_id") == refund_id:
                return _refund(earlier)
        async with self._asking("give_back"):
            return _refund(
                await self._client.v1.refunds.create_async(
                    {
                        "payment_intent": reference,
                        "amount": to_stripe(refund.amount),
                        "metadata": {"refund_id": refund_id, "reason": refund.reason},
                    },
                    {"idempotency_key": f"refund:{refund.id}"},
                )
            )

    def read_event(self, payload: bytes, signature: str) -> ProviderEvent:
        """As Provider."""
        try:
            stripe.WebhookSignature.verify_header(
                payload, signature, self._webhook_secret, _TOLERANCE_SECONDS
            )
        except (stripe.SignatureVerificationError, ValueError, TypeError) as error:
            # Besides its own error the library lets through what bytes and headers that are no text raise.
            raise StripeSignatureInvalid from error
        try:
            event = json.loads(payload)
            about = event["data"]["object"]
            reference = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
            return ProviderEvent(
                source=self.name,
                id=str(event["id"]),
                type=str(event["type"]),
                reference=reference if isinstance(reference, str) else None,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StripeEventInvalid from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close_async()

    @asynccontextmanager
    async def _asking(self, operation: str) -> AsyncIterator[None]:
        """One call within the time budget, measured, its failures in our words."""
        left = deadline.remaining()
        budget = BUDGET_SECONDS if left is None else min(left, BUDGET_SECONDS)
        started = time.perf_counter()
        outcome = "CANCELLED"
        try:
            with telemetry.span(f"stripe {operation}", kind=SpanKind.CLIENT), _mapped(operation):
                async with asyncio.timeout(budget):
                    yield
            outcome = "OK"
        except AppError as error:
            outcome = error.reason
            raise
        finally:
            _CALLS.labels(self.name, operation, outcome).observe(time.perf_counter() - started)


@contextmanager
def _mapped(operation: str) -> Iterator[None]:
    try:
        yield
    except _NO as error:
        _log.warning("provider_refused", operation=operation, code=error.code, request=error.request_id)
        raise ProviderRefused from error
    except stripe.StripeError as error:
        _log.warning("provider_unavailable", operation=operation, error=type(error).__name__)
        raise Unavailable from error
    except TimeoutError as error:
        raise DeadlineExceeded from error


def _intent(found: PaymentIntent) -> Intent:
    match found.status:
        case "succeeded":
            status = IntentStatus.SUCCEEDED
        case "canceled":
            status = IntentStatus.CANCELLED
        case "processing":
            status = IntentStatus.PROCESSING
        case _:
            status = IntentStatus.OPEN
    return Intent(found.id, status, found.client_secret or "")


def _refund(found: stripe.Refund) -> RefundAnswer:
    match found.status:
        case "succeeded":
            status = GivenBack.SUCCEEDED
        case "failed" | "canceled":
            status = GivenBack.FAILED
        case _:
            status = GivenBack.PENDING
    return RefundAnswer(found.id, status)
