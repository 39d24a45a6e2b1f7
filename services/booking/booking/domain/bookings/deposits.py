"""A booking's deposit, as payment tells it."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from servicekit.money import Money


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
