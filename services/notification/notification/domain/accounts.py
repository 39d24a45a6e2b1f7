"""Mails about accounts as their owner, auth, describes them. Nothing of it is kept."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OperatorVisit:
    """An operator's access to an organization, as its owners are told."""

    organization: str
    operator: str
    reason: str
    ticket: str
    minutes: int
    write: bool


@dataclass(frozen=True, slots=True)
class MissingDomain:
    """A domain of an organization whose TXT record is not there any more."""

    domain: str
    verified_until: datetime | None
    """None when it is not verified any more."""


@dataclass(frozen=True, slots=True)
class AccountMail:
    """What a mail about an account needs. `email` is empty when there is nothing to send (any more)."""

    email: str
    name: str
    language: str
    kind: str
    """The name of its texts."""
    token: str
    """The secret of its link; empty for a mail without one."""
    device: str
    address: str
    occurred_at: datetime
    visit: OperatorVisit | None = None
    """The operator's access that it speaks of; None for other mails."""
    domain: MissingDomain | None = None
    """The domain that it speaks of; None for other mails."""
    organization: str = ""
    """The organization where sessions were ended; empty for other mails."""
