"""Requests about persons: what they ask, how far they are, and what refuses them. Never does I/O."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from auth.domain.accounts import normalise_email
from servicekit.errors import AppError, Kind

SERVICES = ("auth", "booking", "payment", "notification", "support", "analytics")
"""All of them give a receipt."""
DUE = timedelta(days=30)
"""A month, as GDPR article 12 (3) has it."""
KEPT = timedelta(days=7)
"""How long an export can be downloaded."""
_MOST_NAMED = 50
_ADDRESS = re.compile(r"[^\s@]{1,250}@[^\s@]{1,250}")
_NUMBER = re.compile(r"\+[0-9]{4,15}")


class PrivacyRequestNotFound(AppError):
    """The id is not one of a request of the organization, or of the caller."""

    kind = Kind.NOT_FOUND
    reason = "PRIVACY_REQUEST_NOT_FOUND"
    detail = "There is no such request."


class SubjectUnclear(AppError):
    """Nobody is named, or somebody in two ways, which may be two people, or by a number that people share."""

    kind = Kind.UNPROCESSABLE
    reason = "SUBJECT_UNCLEAR"
    detail = "Name the guest by an e-mail address alone, or by a telephone number and the bookings' name."


class SubjectHasBookings(AppError):
    """Bookings of the guest are to come (metadata: `booking_ids`)."""

    kind = Kind.REFUSED
    reason = "SUBJECT_HAS_BOOKINGS"
    detail = "This guest has bookings to come. Cancel them first, or wait until they are over."

    @classmethod
    def of(cls, bookings: Sequence[str]) -> "SubjectHasBookings":
        """Names the first fifty."""
        return cls(metadata={"booking_ids": ",".join(bookings[:_MOST_NAMED])})


class SubjectHasOpenPayments(AppError):
    """Money of the guest is on its way (metadata: `payment_ids`): it is asked for, or going back."""

    kind = Kind.REFUSED
    reason = "SUBJECT_HAS_OPEN_PAYMENTS"
    detail = "Money of this guest is on its way. Try again when it has arrived."

    @classmethod
    def of(cls, payments: Sequence[str]) -> "SubjectHasOpenPayments":
        """Names the first fifty."""
        return cls(metadata={"payment_ids": ",".join(payments[:_MOST_NAMED])})


class ExportNotReady(AppError):
    """Some service has not handed in its part yet; or it is no export."""

    kind = Kind.REFUSED
    reason = "EXPORT_NOT_READY"
    detail = "There is nothing to download (yet)."


class ExportExpired(AppError):
    """The export was kept for seven days, or until the person was erased, and is gone."""

    kind = Kind.REFUSED
    reason = "EXPORT_EXPIRED"
    detail = "This export is gone: it was kept for seven days at most. Ask for another one."


class RequestKind(StrEnum):
    """What is asked for."""

    EXPORT = "export"
    ERASE = "erase"


class RequestStatus(StrEnum):
    """Where a request stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    EXPIRED = "expired"
    """An export whose documents are gone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A guest, by how they can be reached: an address, or a number together with a name."""

    email: str
    phone: str
    name: str = ""
    """With a number, which people share: as booking compares it."""

    @classmethod
    def of(cls, email: str, phone: str, name: str = "") -> "Subject":
        """Raises SubjectUnclear unless there is an address alone, or a number with a name."""
        address, called = normalise_email(email), _compared(name)
        if bool(address) == bool(phone) or bool(phone) != bool(called):
            raise SubjectUnclear
        return cls(address, phone, called)

    def written(self) -> bytes:
        """As it is sealed, and recognised: the same for the same guest."""
        said = {"email": self.email, "phone": self.phone}
        return json.dumps(said | ({"name": self.name} if self.name else {}), sort_keys=True).encode()

    @property
    def identifiers(self) -> frozenset[str]:
        """The address, or the number."""
        return frozenset(filter(None, (self.email, self.phone)))

    @classmethod
    def read(cls, written: bytes) -> "Subject":
        """What `written` wrote."""
        return cls(**json.loads(written))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one service has done."""

    service: str
    rows: Mapping[str, int]
    """What it erased, by table; empty for an export."""
    received_at: datetime


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """A request about a person. It does not say who that is, and nothing does once it has ended."""

    id: UUID
    kind: RequestKind
    status: RequestStatus
    organization_id: UUID | None
    """None when it is about an account."""
    user_id: UUID | None
    """The account that it is about; None for a guest."""
    requested_by: UUID
    created_at: datetime
    due_at: datetime
    completed_at: datetime | None = None
    overdue_at: datetime | None = None
    """When it was found to be late."""
    kept_until: datetime | None = None
    receipts: tuple[Receipt, ...] = ()

    @classmethod
    def take_in(
        cls,
        id: UUID,  # noqa: A002
        kind: RequestKind,
        *,
        requested_by: UUID,
        now: datetime,
        organization_id: UUID | None = None,
        user_id: UUID | None = None,
    ) -> "PrivacyRequest":
        """A request that begins to run."""
        return cls(id, kind, RequestStatus.RUNNING, organization_id, user_id, requested_by, now, now + DUE)

    @property
    def runs(self) -> bool:
        """Whether some service has still to do its part."""
        return self.status is RequestStatus.RUNNING

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The services whose receipt is missing."""
        have = {each.service for each in self.receipts}
        return tuple(each for each in SERVICES if each not in have)

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have ended by now."""
        return self.runs and now >= self.due_at

    def note(self, receipt: Receipt) -> "PrivacyRequest":
        """With one more receipt; the last one completes it. The first of a service counts."""
        if not self.runs or receipt.service not in self.waiting_for:
            return self
        noted = replace(self, receipts=(*self.receipts, receipt))
        if noted.waiting_for:
            return noted
        at = receipt.received_at
        kept = at + KEPT if self.kind is RequestKind.EXPORT else None
        return replace(noted, status=RequestStatus.COMPLETED, completed_at=at, kept_until=kept)

    def expire(self, now: datetime) -> "PrivacyRequest":
        """An export whose documents go, also one that still ran."""
        return replace(self, status=RequestStatus.EXPIRED, completed_at=self.completed_at or now)

    def refuse_unless_downloadable(self, now: datetime) -> None:
        """Raises ExportNotReady, ExportExpired."""
        if self.kind is not RequestKind.EXPORT or self.runs:
            raise ExportNotReady
        if self.status is RequestStatus.EXPIRED or self.kept_until is None or now >= self.kept_until:
            raise ExportExpired


def identifiers_in(document: bytes) -> frozenset[str]:
    """All addresses and numbers that stand by themselves in a service's part of an export.

    Also those of somebody else whom it names: whose erasure ends the export, too. None in what is no JSON.
    """
    try:
        waiting = [json.loads(document)]
    except ValueError:
        return frozenset()
    found: set[str] = set()
    while waiting:
        match waiting.pop():
            case dict() as named:
                waiting.extend(named.values())
            case list() as listed:
                waiting.extend(listed)
            case str() as text if _NUMBER.fullmatch(text):
                found.add(text)
            case str() as text if _ADDRESS.fullmatch(text.strip()):
                found.add(normalise_email(text))
    return frozenset(filter(None, found))


def _compared(name: str) -> str:
    """Case, spacing and ways to write one character say nothing; an accent does. Booking does the same."""
    return unicodedata.normalize("NFKC", " ".join(unicodedata.normalize("NFKC", name).casefold().split()))
