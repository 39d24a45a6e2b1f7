"""A booking's deposit, as payment tells it, and what a guest accepts to lose of it."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from servicekit.errors import AppError, Kind
from servicekit.money import Money


class CancellationFeeChanged(AppError):
    """A guest accepted to lose another amount of a deposit than is kept by now.

    Metadata: what is kept, `fee`, in minor units of `currency`; no currency when nothing is.
    """

    kind = Kind.REFUSED
    reason = "CANCELLATION_FEE_CHANGED"
    detail = "Cancelling costs another amount by now; see metadata."


@dataclass(frozen=True, slots=True)
class DepositPayment:
    """How a deposit is paid."""

    payment_id: UUID
    amount: Money
    client_secret: str
    provider: str


class Settlement(StrEnum):
    """How a deposit ended."""

    PAID = "paid"
    CLOSED = "closed"
    """Unpaid, and it cannot be paid any more."""


def refuse_unless_accepted(fee: Money | None, accepted: Money | None) -> None:
    """Lets a fee be taken that a guest accepts: None for whatever it is, an amount of 0 for nothing to lose.

    Raises:
        CancellationFeeChanged: it is another one.
    """
    if accepted is None or accepted == fee or not (accepted.amount or (fee and fee.amount)):
        return
    told = {"fee": str(fee.amount), "currency": fee.currency} if fee else {"fee": "0"}
    raise CancellationFeeChanged(metadata=told)
