"""What a payment provider tells us, in our words."""

from dataclasses import dataclass, field
from enum import StrEnum


class IntentStatus(StrEnum):
    """What a provider says of a payment that the guest was offered."""

    OPEN = "open"
    """Unpaid; it may be closed."""
    PROCESSING = "processing"
    """On its way; neither paid nor closable at the moment."""
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"


class GivenBack(StrEnum):
    """What a provider says of a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as the provider has it."""

    reference: str
    status: IntentStatus
    client_secret: str = field(default="", repr=False)
    """For the provider's script in the guest's browser. Never kept, never logged."""


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """A refund as the provider has it."""

    reference: str
    status: GivenBack


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What a provider told us happened. It is a reason to ask, never a fact to believe."""

    source: str
    id: str
    type: str
    reference: str | None
    """The intent it speaks of, if any."""
