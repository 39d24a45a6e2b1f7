"""Deposits and their states, which only move forward."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from payment.domain.errors import DepositMismatch, RefundExceedsPayment
from payment.domain.provider import IntentStatus
from payment.domain.refunds import Refund, RefundState
from servicekit.money import Money

_FIRST_LOOK = timedelta(seconds=60)
_RAREST_LOOK = timedelta(hours=1)
_ABANDONED_AFTER = timedelta(hours=23)


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Payment:
    """A booking's deposit."""

    organization_id: UUID
    id: UUID
    booking_id: UUID
    amount: Money
    description: str
    status: PaymentStatus
    refunded: Money
    provider: str
    provider_reference: str | None
    """The intent that counts; None until the provider has made one and we have written it down."""
    created_at: datetime
    no_show_fee: Money | None = None
    """What is kept because the guest did not come; None while nobody said so, 0 once they came after all."""

    @classmethod
    def due(
        cls,
        payment_id: UUID,
        booking_id: UUID,
        *,
        organization_id: UUID,
        amount: Money,
        description: str,
        provider: str,
        now: datetime,
    ) -> "Payment":
        """A deposit that waits for the guest."""
        return cls(
            organization_id=organization_id,
            id=payment_id,
            booking_id=booking_id,
            amount=amount,
            description=description,
            status=PaymentStatus.PENDING,
            refunded=Money(0, amount.currency),
            provider=provider,
            provider_reference=None,
            created_at=now,
        )

    @property
    def is_open(self) -> bool:
        """Whether the guest may still pay it."""
        return self.status is PaymentStatus.PENDING

    @property
    def holds_money(self) -> bool:
        """Whether it was paid and not given back in full."""
        return self.status is PaymentStatus.SUCCEEDED

    def require_amount(self, amount: Money) -> None:
        """Raises DepositMismatch unless the deposit is over `amount`."""
        if self.amount != amount:
            raise DepositMismatch

    def bind(self, reference: str) -> "Payment":
        """Takes the intent that the provider made. The first one counts; a closed deposit takes none."""
        if self.is_open and self.provider_reference is None:
            return replace(self, provider_reference=reference)
        return self

    def follow(self, status: IntentStatus) -> "Payment":
        """Learns where the intent stands: in any order and any number of times, only ever forward.

        Money counts most: a deposit that we closed and that is paid after all is paid.
        """
        match status:
            case IntentStatus.SUCCEEDED if self.status in (PaymentStatus.PENDING, PaymentStatus.CANCELLED):
                return replace(self, status=PaymentStatus.SUCCEEDED)
            case IntentStatus.CANCELLED if self.is_open:
                return replace(self, status=PaymentStatus.CANCELLED)
            case (
                IntentStatus.OPEN | IntentStatus.PROCESSING | IntentStatus.SUCCEEDED | IntentStatus.CANCELLED
            ):
                return self
            case _:
                assert_never(status)

    def abandon(self) -> "Payment":
        """Closes a deposit that no intent belongs to: nobody was ever given the means to pay it."""
        if self.is_open and self.provider_reference is None:
            return replace(self, status=PaymentStatus.CANCELLED)
        return self

    def is_abandoned(self, now: datetime) -> bool:
        """Whether the making of its intent was broken off so long ago that nobody will take it up.

        Stripe forgets idempotency keys after 24 hours; making it again later could make a second intent.
        """
        return self.provider_reference is None and now - self.created_at > _ABANDONED_AFTER

    def require_refundable(self, amount: Money) -> None:
        """Raises RefundExceedsPayment for more than was paid, for nothing, and for another currency."""
        if amount.currency != self.amount.currency or not 0 < amount.amount <= self.amount.amount:
            raise RefundExceedsPayment

    def owe(self, refund_id: UUID, amount: Money, *, cause: str, reason: str) -> Refund:
        """A refund that is owed from now on. Raises RefundExceedsPayment."""
        self.require_refundable(amount)
        return Refund(
            organization_id=self.organization_id,
            id=refund_id,
            payment_id=self.id,
            amount=amount,
            cause=cause,
            reason=reason,
            state=RefundState.DUE,
            provider_reference=None,
        )

    def keep_fee(self, fee: Money) -> "Payment":
        """The guest did not come, and the venue keeps so much; the rest is to go back.

        Raises:
            RefundExceedsPayment: more than the deposit, or in another currency.
        """
        if fee.currency != self.amount.currency or not 0 <= fee.amount <= self.amount.amount:
            raise RefundExceedsPayment
        return replace(self, no_show_fee=fee)

    def waive_fee(self) -> "tuple[Payment, Money]":
        """The guest came after all: nothing is kept. Answers what that gives back, besides any rest before.

        Before anybody said that the guest did not come, all of it: that news is of no use once it arrives.
        """
        kept = self.amount if self.no_show_fee is None else self.no_show_fee
        return replace(self, no_show_fee=Money(0, self.amount.currency)), kept

    def give_back(self, amount: Money) -> "Payment":
        """Money went back to the guest.

        Raises:
            RefundExceedsPayment: more in all than was paid.
        """
        refunded = self.refunded + amount
        if refunded.amount > self.amount.amount or not self.holds_money:
            raise RefundExceedsPayment
        status = PaymentStatus.REFUNDED if refunded == self.amount else self.status
        return replace(self, refunded=refunded, status=status)


def look_again_after(attempts: int) -> timedelta:
    """How long to wait before asking the provider again, after `attempts` looks that decided nothing."""
    return min(_RAREST_LOOK, _FIRST_LOOK * (1 << min(attempts, 10)))
