"""What booking asks of payment and auth. No transaction may be open while it waits."""

from typing import Any
from uuid import UUID

from booking.domain.bookings import DepositPayment, Settlement
from comptoir.auth.v1 import account_pb2, account_pb2_grpc
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import payment_pb2, payment_pb2_grpc
from servicekit import ids
from servicekit.errors import AppError, DeadlineExceeded, Unavailable
from servicekit.money import Money
from servicekit.rpc.client import Peer

_SETTLEMENTS = {
    payment_pb2.PAYMENT_STATUS_UNSPECIFIED: Settlement.CLOSED,
    payment_pb2.PAYMENT_STATUS_CANCELLED: Settlement.CLOSED,
    payment_pb2.PAYMENT_STATUS_REFUNDED: Settlement.CLOSED,
    payment_pb2.PAYMENT_STATUS_SUCCEEDED: Settlement.PAID,
}


class Deposits:
    """Deposits of bookings, as payment keeps them: at most one a booking."""

    def __init__(self, payment: Peer) -> None:
        self._payment = payment
        self._stub = payment.stub(payment_pb2_grpc.DepositServiceStub)

    async def request(
        self, organization: UUID, booking_id: UUID, amount: Money, *, description: str
    ) -> DepositPayment:
        """How the guest pays the deposit; the same answer however often it is asked.

        Raises:
            Unavailable, DeadlineExceeded: payment did not answer, or could not.
        """
        request = payment_pb2.CreateDepositRequest(
            booking_id=ids.show("bkg", booking_id),
            amount=values_pb2.Money(amount=amount.amount, currency=amount.currency),
            description=description,
        )
        response = await self._ask(self._stub.CreateDeposit, request, organization)
        return DepositPayment(
            payment_id=ids.parse("pay", response.payment.id, Unavailable),
            amount=amount,
            client_secret=response.client_secret,
            provider=response.provider,
        )

    async def settle(self, organization: UUID, booking_id: UUID) -> Settlement:
        """Has the provider asked whether the deposit was paid, and closes it if not.

        Raises:
            Unavailable, DeadlineExceeded: nobody knows yet.
        """
        request = payment_pb2.SettleDepositRequest(booking_id=ids.show("bkg", booking_id))
        response = await self._ask(self._stub.SettleDeposit, request, organization)
        settlement = _SETTLEMENTS.get(response.status)
        if settlement is None:
            raise Unavailable
        return settlement

    async def _ask(self, method: Any, request: Any, organization: UUID) -> Any:
        try:
            return await self._payment.call(method, request, organization=organization)
        except DeadlineExceeded:
            raise
        except AppError as error:
            raise Unavailable from error


class Allowances:
    """What the plans of organizations allow, as auth keeps them."""

    def __init__(self, auth: Peer) -> None:
        self._auth = auth
        self._stub = auth.stub(account_pb2_grpc.AccountDirectoryServiceStub)

    async def venues(self, organization: UUID) -> int:
        """At most how many venues an organization may have by now.

        Raises:
            Unavailable, DeadlineExceeded: auth did not answer.
        """
        request = account_pb2.GetPlanRequest()
        found: int = (await self._auth.call(self._stub.GetPlan, request, organization=organization)).venues
        return found
