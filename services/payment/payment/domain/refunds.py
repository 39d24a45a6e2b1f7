"""Money that goes back, once per cause."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from payment.domain.provider import GivenBack, RefundAnswer
from servicekit.money import Money

BOOKING_CLOSED = "booking_closed"
"""The cause of a refund whose booking was called off or ran out. A payment is refunded once per cause."""

NO_SHOW = "no_show"
"""The cause of a refund of what is left of a deposit once the fee of a guest who did not come is kept."""


NO_SHOW_WAIVED = "no_show_waived"
"""The cause of a refund of what was kept of a guest who came after all."""


class RefundState(StrEnum):
    """Where a refund stands: owed, given back, or refused by the provider for good."""

    DUE = "due"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back, for one cause."""

    organization_id: UUID
    id: UUID
    payment_id: UUID
    amount: Money
    cause: str
    reason: str
    """Why, in words for staff. No personal data."""
    state: RefundState
    provider_reference: str | None

    def follow(self, answer: RefundAnswer) -> "Refund":
        """Learns how the provider deals with it; what has ended stays as it ended."""
        if self.state is not RefundState.DUE:
            return self
        match answer.status:
            case GivenBack.PENDING:
                state = RefundState.DUE
            case GivenBack.SUCCEEDED:
                state = RefundState.SUCCEEDED
            case GivenBack.FAILED:
                state = RefundState.FAILED
            case _:
                assert_never(answer.status)
        return replace(self, state=state, provider_reference=answer.reference)
