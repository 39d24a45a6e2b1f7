"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import payment_pb2 as pb
from comptoir.payment.v1 import payment_pb2_grpc, privacy_pb2, privacy_pb2_grpc
from payment.app import App
from payment.domain.errors import PaymentNotFound
from payment.domain.payments import Payment, PaymentStatus
from payment.usecases import deposits, payments, privacy, provider_events
from servicekit import identity, ids, paging
from servicekit.errors import InvalidRequest, Violation
from servicekit.money import Money
from servicekit.rpc.server import Registration

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_STATUSES = {
    PaymentStatus.PENDING: pb.PAYMENT_STATUS_PENDING,
    PaymentStatus.SUCCEEDED: pb.PAYMENT_STATUS_SUCCEEDED,
    PaymentStatus.CANCELLED: pb.PAYMENT_STATUS_CANCELLED,
    PaymentStatus.REFUNDED: pb.PAYMENT_STATUS_REFUNDED,
}


class PaymentServicer(payment_pb2_grpc.PaymentServiceServicer):
    """Payments as staff see them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetPayment(self, request: pb.GetPaymentRequest, _context: _Context) -> pb.GetPaymentResponse:
        """Reads one."""
        payment_id = ids.parse("pay", request.payment_id, PaymentNotFound)
        payment = await payments.get_payment(self._app, identity.caller().tenant, payment_id)
        return pb.GetPaymentResponse(payment=_payment(payment))

    async def ListPayments(
        self, request: pb.ListPaymentsRequest, _context: _Context
    ) -> pb.ListPaymentsResponse:
        """Reads a page."""
        booking_id = _booking_id(request.booking_id) if request.booking_id else None
        page = paging.page(request.page_size, request.page_token, request.booking_id, keys=2)
        found, token = await payments.list_payments(
            self._app, identity.caller().tenant, page, booking_id=booking_id
        )
        return pb.ListPaymentsResponse(items=[_payment(each) for each in found], next_page_token=token)


class DepositServicer(payment_pb2_grpc.DepositServiceServicer):
    """What booking and the gateway ask."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateDeposit(
        self, request: pb.CreateDepositRequest, _context: _Context
    ) -> pb.CreateDepositResponse:
        """Makes a booking's deposit, or finds it."""
        if request.amount.amount == 0:
            raise InvalidRequest(violations=[Violation("/amount/amount", "must be greater than 0")])
        offered = await deposits.create_deposit(
            self._app,
            identity.caller().tenant,
            _booking_id(request.booking_id),
            amount=Money(request.amount.amount, request.amount.currency),
            description=request.description,
        )
        return pb.CreateDepositResponse(
            payment=_payment(offered.payment),
            client_secret=offered.client_secret,
            provider=offered.payment.provider,
        )

    async def SettleDeposit(
        self, request: pb.SettleDepositRequest, _context: _Context
    ) -> pb.SettleDepositResponse:
        """Decides a booking's deposit."""
        booking_id = _booking_id(request.booking_id)
        status = await deposits.settle_deposit(self._app, identity.caller().tenant, booking_id)
        return pb.SettleDepositResponse(
            status=pb.PAYMENT_STATUS_UNSPECIFIED if status is None else _STATUSES[status]
        )

    async def ReceiveStripeEvent(
        self, request: pb.ReceiveStripeEventRequest, _context: _Context
    ) -> pb.ReceiveStripeEventResponse:
        """Takes a webhook in."""
        await provider_events.receive_event(self._app, request.payload, request.signature)
        return pb.ReceiveStripeEventResponse()


class OpenMoneyServicer(privacy_pb2_grpc.OpenMoneyServiceServicer):
    """What auth asks before a guest is forgotten."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListOpenPayments(
        self, request: privacy_pb2.ListOpenPaymentsRequest, _context: _Context
    ) -> privacy_pb2.ListOpenPaymentsResponse:
        """The payments that are not settled."""
        bookings = [_booking_id(each) for each in request.booking_ids]
        found = await privacy.list_open_payments(self._app, identity.caller().tenant, bookings)
        return privacy_pb2.ListOpenPaymentsResponse(payment_ids=[ids.show("pay", each) for each in found])


def servicers(app: App) -> Sequence[Registration]:
    """All services of payment, ready to be added to a server."""
    return [
        lambda server: payment_pb2_grpc.add_PaymentServiceServicer_to_server(PaymentServicer(app), server),
        lambda server: payment_pb2_grpc.add_DepositServiceServicer_to_server(DepositServicer(app), server),
        lambda server: privacy_pb2_grpc.add_OpenMoneyServiceServicer_to_server(
            OpenMoneyServicer(app), server
        ),
    ]


def _booking_id(text: str) -> UUID:
    try:
        return ids.parse("bkg", text, InvalidRequest)
    except InvalidRequest:
        raise InvalidRequest(violations=[Violation("/booking_id", "must be the id of a booking")]) from None


def _payment(payment: Payment) -> pb.Payment:
    message = pb.Payment(
        id=ids.show("pay", payment.id),
        booking_id=ids.show("bkg", payment.booking_id),
        status=_STATUSES[payment.status],
        amount=_money(payment.amount),
        refunded=_money(payment.refunded),
        provider_reference=payment.provider_reference or "",
    )
    message.created_at.FromDatetime(payment.created_at)
    if payment.no_show_fee is not None:
        message.no_show_fee.CopyFrom(_money(payment.no_show_fee))
    return message


def _money(money: Money) -> values_pb2.Money:
    return values_pb2.Money(amount=money.amount, currency=money.currency)
