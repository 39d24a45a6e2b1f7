"""A Stripe over HTTP that fails on demand: for what localstripe cannot do. It knows nothing of us."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servicekit import admin

DECLINED_CARD = "4000000000000002"


class Fault(Enum):
    """How one request goes wrong."""

    UNREACHED = auto()
    """Nothing is done, nothing is answered."""
    UNHEARD = auto()
    """It is done, but the answer never comes."""
    BROKEN = auto()
    """Nothing is done; 500."""
    LIMITED = auto()
    """Nothing is done; 429."""


@dataclass
class Gate:
    """Holds one answer back."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


class Refused(Exception):
    """Stripe says no."""

    def __init__(self, status: int, code: str, kind: str = "invalid_request_error") -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": code}}


class StandIn:
    """PaymentIntents, cards and refunds, with idempotency keys as Stripe has them (unless switched off)."""

    def __init__(self) -> None:
        self.url = ""
        self.forget()

    def forget(self) -> None:
        """As new, at the same address."""
        self.idempotent = True
        self.refunds_start_as = "succeeded"
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self._cards: dict[str, str] = {}
        self._answers: dict[str, tuple[Any, int, Any]] = {}
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._gates: dict[str, list[Gate]] = defaultdict(list)

    def fail(self, operation: str, *faults: Fault) -> None:
        """The next requests of an operation, like "POST /v1/refunds", go wrong in these ways."""
        self._faults[operation].extend(faults)

    def hold(self, operation: str) -> Gate:
        """The next answer of an operation is made, and then held back until the gate is opened."""
        gate = Gate()
        self._gates[operation].append(gate)
        return gate

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["StandIn"]:
        """Listens on a free port of loopback."""
        routes = [Route("/v1/{path:path}", self._serve, methods=["GET", "POST"])]
        async with admin.serve(Starlette(routes=routes), "127.0.0.1:0") as server:
            self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            yield self

    async def _serve(self, request: Request) -> Response:
        sent = _tree(parse_qsl((await request.body()).decode()) + parse_qsl(request.url.query))
        operation = f"{request.method} {re.sub(r'/(pi|re|pm)_[0-9a-z]+', '/{id}', request.url.path)}"
        self.requests.append(operation)
        fault = self._faults[operation].pop(0) if self._faults[operation] else None
        if fault is Fault.BROKEN:
            return JSONResponse({"error": {"type": "api_error", "message": "broken"}}, 500)
        if fault is Fault.LIMITED:
            return JSONResponse({"error": {"type": "invalid_request_error", "message": "slower"}}, 429)
        if fault is not Fault.UNREACHED:
            status, body = self._answer(operation, request, sent)
        if fault in (Fault.UNREACHED, Fault.UNHEARD):
            await request.receive()  # until the client gives up
            return Response()
        if self._gates[operation]:
            gate = self._gates[operation].pop(0)
            gate.arrived.set()
            await gate.opened.wait()
        return Response(json.dumps(body), status, media_type="application/json")

    def _answer(self, operation: str, request: Request, sent: dict[str, Any]) -> tuple[int, Any]:
        """Replays the answer to an earlier request with this key, as Stripe does."""
        key = request.headers.get("idempotency-key") if self.idempotent else None
        if key is None or request.method == "GET":
            return self._perform(operation, request.url.path, sent)
        if key not in self._answers:
            self._answers[key] = (sent, *self._perform(operation, request.url.path, sent))
        first, status, body = self._answers[key]
        if first != sent:
            return 400, {"error": {"type": "idempotency_error", "message": "another request"}}
        return status, body

    def _perform(self, operation: str, path: str, sent: dict[str, Any]) -> tuple[int, Any]:
        named = path.split("/")[3] if path.count("/") > 2 else ""
        operations: dict[str, Callable[[], Any]] = {
            "POST /v1/payment_intents": lambda: self._make(sent),
            "GET /v1/payment_intents/{id}": lambda: self._intent(named),
            "POST /v1/payment_intents/{id}": lambda: self._choose(self._intent(named), sent),
            "POST /v1/payment_intents/{id}/confirm": lambda: self._confirm(self._intent(named)),
            "POST /v1/payment_intents/{id}/cancel": lambda: self._cancel(self._intent(named)),
            "POST /v1/payment_methods": lambda: self._card(sent["card"]["number"]),
            "POST /v1/refunds": lambda: self._refund(sent),
            "GET /v1/refunds": lambda: self._refunds_of(sent["payment_intent"]),
        }
        try:
            # A copy as of now: a held answer tells what was true when it was made.
            return 200, deepcopy(operations[operation]())
        except Refused as refusal:
            return refusal.status, refusal.body

    def _make(self, sent: dict[str, Any]) -> dict[str, Any]:
        if int(sent["amount"]) < 50:
            raise Refused(400, "amount_too_small")
        reference = f"pi_{len(self.intents):06d}"
        self.intents[reference] = {
            "id": reference,
            "object": "payment_intent",
            "amount": int(sent["amount"]),
            "currency": sent["currency"],
            "client_secret": f"{reference}_secret_{len(self.intents)}",
            "metadata": sent.get("metadata", {}),
            "payment_method": None,
            "status": "requires_payment_method",
        }
        return self.intents[reference]

    def _intent(self, reference: str) -> dict[str, Any]:
        if reference not in self.intents:
            raise Refused(404, "resource_missing")
        return self.intents[reference]

    def _card(self, number: str) -> dict[str, Any]:
        method = f"pm_{len(self._cards):06d}"
        self._cards[method] = number
        return {"id": method, "object": "payment_method"}

    def _choose(self, intent: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] in ("succeeded", "canceled"):
            raise Refused(400, "payment_intent_unexpected_state")
        intent |= {"payment_method": sent["payment_method"], "status": "requires_confirmation"}
        return intent

    def _confirm(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] != "requires_confirmation":
            raise Refused(400, "payment_intent_unexpected_state")
        if self._cards[intent["payment_method"]] == DECLINED_CARD:
            intent |= {"payment_method": None, "status": "requires_payment_method"}
            raise Refused(402, "card_declined", "card_error")
        intent["status"] = "succeeded"
        return intent

    def _cancel(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise Refused(400, "payment_intent_unexpected_state")
        intent["status"] = "canceled"
        return intent

    def _refunds_of(self, reference: str) -> dict[str, Any]:
        made = [each for each in self.refunds.values() if each["payment_intent"] == reference]
        return {"object": "list", "data": made, "has_more": False, "url": "/v1/refunds"}

    def _refund(self, sent: dict[str, Any]) -> dict[str, Any]:
        if self._intent(sent["payment_intent"])["status"] != "succeeded":
            raise Refused(400, "charge_not_refundable")
        reference = f"re_{len(self.refunds):06d}"
        self.refunds[reference] = {
            "id": reference,
            "object": "refund",
            "amount": int(sent["amount"]),
            "payment_intent": sent["payment_intent"],
            "metadata": sent.get("metadata", {}),
            "status": self.refunds_start_as,
        }
        return self.refunds[reference]


def _tree(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b]=c` as {"a": {"b": "c"}}."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name)
        place = made
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return made
