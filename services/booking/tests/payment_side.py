"""A payment service that does what a test tells it."""

from dataclasses import dataclass, field
from typing import Any

import grpc

from comptoir.payment.v1 import payment_pb2, payment_pb2_grpc
from servicekit import ids


@dataclass
class Payments(payment_pb2_grpc.DepositServiceServicer):
    """Payment's side of the contract. Every deposit is pending until a test pays it."""

    paid: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def CreateDeposit(  # noqa: N802
        self, request: payment_pb2.CreateDepositRequest, context: Any
    ) -> payment_pb2.CreateDepositResponse:
        await self._answer(context)
        self.asked.append(request.booking_id)
        payment = payment_pb2.Payment(
            id=ids.show("pay", ids.new()), booking_id=request.booking_id, amount=request.amount
        )
        return payment_pb2.CreateDepositResponse(
            payment=payment, client_secret=f"secret of {request.booking_id}", provider="stripe"
        )

    async def SettleDeposit(  # noqa: N802
        self, request: payment_pb2.SettleDepositRequest, context: Any
    ) -> payment_pb2.SettleDepositResponse:
        await self._answer(context)
        if request.booking_id in self.paid:
            return payment_pb2.SettleDepositResponse(status=payment_pb2.PAYMENT_STATUS_SUCCEEDED)
        self.closed.add(request.booking_id)
        return payment_pb2.SettleDepositResponse(status=payment_pb2.PAYMENT_STATUS_CANCELLED)

    async def ReceiveStripeEvent(  # noqa: N802
        self, _request: payment_pb2.ReceiveStripeEventRequest, _context: Any
    ) -> payment_pb2.ReceiveStripeEventResponse:
        raise AssertionError  # nobody calls it

    async def _answer(self, context: Any) -> None:
        if self.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "down for a test")
