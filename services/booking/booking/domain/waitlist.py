"""Waiting for what is sold out: who wishes what, and what becomes of it. Finds no seats itself."""

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import calendar, texts
from booking.domain.availability import Slot
from booking.domain.bookings import Guest
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.clock import DAY_MINUTES
from booking.domain.floor import Party
from servicekit.errors import AppError, Kind

ANY_LATEST = 2 * DAY_MINUTES - 1
"""The last minute that a service day's starts can have."""
_LINK_AFTERLIFE = timedelta(days=30)
_LINK_MAILS_APART = timedelta(hours=1)


class WaitlistEntryNotFound(AppError):
    """No entry of a waitlist has this id, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "WAITLIST_ENTRY_NOT_FOUND"
    detail = "There is no such entry on the waitlist."


class WaitlistTokenNotFound(AppError):
    """The link's secret is none of ours, was replaced by joining again, or its entry ended 30 days ago."""

    kind = Kind.NOT_FOUND
    reason = "WAITLIST_TOKEN_NOT_FOUND"
    detail = "This link is not valid."


class SlotAvailable(AppError):
    """Nobody has to wait: metadata names the best `start` that can be booked now."""

    kind = Kind.REFUSED
    reason = "SLOT_AVAILABLE"
    detail = "This can be booked now."


class WaitlistOfferPending(AppError):
    """An offer has to be answered before the wish can be another one."""

    kind = Kind.REFUSED
    reason = "WAITLIST_OFFER_PENDING"
    detail = "An offer waits for an answer."


class WaitlistOfferGone(AppError):
    """The entry has no offer that could be answered: none was made, or it ran out, or was taken back."""

    kind = Kind.REFUSED
    reason = "WAITLIST_OFFER_GONE"
    detail = "There is no offer to answer."


class WaitlistStateConflict(AppError):
    """The entry does not wait any more, or is offered something already; metadata names its `status`."""

    kind = Kind.REFUSED
    reason = "WAITLIST_STATE_CONFLICT"
    detail = "This does not follow from where the entry stands."


class EntryStatus(StrEnum):
    """Where an entry stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"
    CLOSED = "closed"


LIVE = frozenset({EntryStatus.WAITING, EntryStatus.OFFERED})
"""No step leads out of the others."""


class Outcome(StrEnum):
    """What became of an offer."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a guest waits for: one party, never split, at any start of a window on any of some days.

    `earliest` and `latest` are minutes of wall clock after the midnight that the service day begins with.
    """

    offering_id: UUID
    party_size: int
    guest: Guest
    best_date: date
    flexible_days: int
    earliest: int
    latest: int
    notes: str
    booking_id: UUID | None = None
    """The booking by whose link the guest asks; None for none."""
    instead: bool = False
    """Whether that booking is given up once an offer is confirmed."""
    area_id: UUID | None = None
    """Only there."""
    attributes: frozenset[str] = frozenset()
    """What everything that seats the party must have, like "accessible"."""

    @classmethod
    def of(
        cls,
        guest: Guest,
        *,
        offering_id: UUID,
        party_size: int,
        best_date: date,
        flexible_days: int,
        earliest: str,
        latest: str,
        notes: str,
        area_id: UUID | None = None,
        attributes: Iterable[str] = (),
    ) -> "Ask":
        """From local times "HH:MM", empty for any. A latest before the earliest is after midnight.

        Raises:
            InvalidRequest: the notes hold what no mail would show.
            Inconsistent: nobody could be told of an offer, for want of an e-mail address.
        """
        guest.refuse_unless_mailable()
        first = _minutes(earliest) if earliest else 0
        last = _minutes(latest) if latest else ANY_LATEST
        if last < first:
            last += DAY_MINUTES
        lines = texts.several_lines("/notes", notes)
        return cls(
            offering_id,
            party_size,
            guest,
            best_date,
            flexible_days,
            first,
            last,
            lines,
            area_id=area_id,
            attributes=frozenset(attributes),
        )

    def beside(self, booking_id: UUID, *, instead: bool) -> "Ask":
        """The same by the link of a booking, or instead of it."""
        return replace(self, booking_id=booking_id, instead=instead)

    @property
    def first_date(self) -> date:
        """The first service day that suits."""
        return max(FIRST_DAY, self.best_date - timedelta(days=self.flexible_days))

    @property
    def last_date(self) -> date:
        """The last service day that suits."""
        return min(LAST_DAY, self.best_date + timedelta(days=self.flexible_days))

    @property
    def dates(self) -> list[date]:
        """All service days that suit, the best one first, then the nearest, the earlier of two."""
        span = (self.last_date - self.first_date).days
        days = [self.first_date + timedelta(days=number) for number in range(span + 1)]
        return sorted(days, key=lambda day: (abs((day - self.best_date).days), day))

    @property
    def party(self) -> Party:
        """Who is to be seated, and what they ask of the place: offers are made as to any guest."""
        return Party(self.party_size, area_id=self.area_id, attributes=self.attributes)

    @property
    def contact(self) -> bytes:
        """Whose wish it is, as far as two wishes can be told to be of one person."""
        return contact_of(self.guest.email)

    def suits(self, zone: ZoneInfo, service_date: date, start: int) -> bool:
        """Whether a start (epoch seconds) of a service day lies in the window, whatever the day."""
        local = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
        minute = (local - datetime.combine(service_date, time())) // timedelta(minutes=1)
        return self.earliest <= minute <= self.latest

    def choose(
        self, zone: ZoneInfo, service_date: date, slots: Sequence[Slot], *, declined: Collection[int] = ()
    ) -> list[Slot]:
        """Those of a day's starts that suit, in their order, without what overlaps a declined stay."""
        if not self.first_date <= service_date <= self.last_date:
            return []
        return [
            slot
            for slot in slots
            if self.suits(zone, service_date, slot.start)
            and not any(abs(slot.start - start) < slot.end - slot.start for start in declined)
        ]

    def over_at(self, zone: ZoneInfo) -> datetime:
        """When the last start that suits has begun."""
        return datetime.fromtimestamp(calendar.end_of(zone, self.last_date, self.latest + 1), zone)


@dataclass(frozen=True, slots=True)
class Entry:
    """A guest's place in line. `version` rises with every change. Who has the smaller id was there first."""

    id: UUID
    venue_id: UUID
    time_zone: str
    ask: Ask
    status: EntryStatus
    created_at: datetime
    asked_at: datetime
    """When the guest last said what they wait for."""
    version: int = 1
    unproven: bool = False
    """Whether its address waits already, by an entry whose link was not shown. It looks like any other to
    whoever made it, so that nobody learns who waits, and is offered nothing: the earlier one is untouched."""
    link_mailed_at: datetime | None = None
    """When the mail with its link was last asked for by somebody who could not show it."""

    @classmethod
    def join(cls, id: UUID, ask: Ask, *, venue_id: UUID, time_zone: str, now: datetime) -> "Entry":  # noqa: A002
        """At the end of the line."""
        return cls(id, venue_id, time_zone, ask, EntryStatus.WAITING, now, now)

    @property
    def live(self) -> bool:
        """Whether anything can still become of it."""
        return self.status in LIVE

    def as_of(self, now: datetime) -> "Entry":
        """How it stands at `now`: who waits for what is over waits no more."""
        over = self.status is EntryStatus.WAITING and now >= self.ask.over_at(ZoneInfo(self.time_zone))
        return replace(self, status=EntryStatus.EXPIRED) if over else self

    def ask_again(self, ask: Ask, *, now: datetime) -> "Entry":
        """The same place in line for another wish; the guest's row stays the same.

        Raises:
            WaitlistOfferPending: an offer waits for an answer.
            WaitlistStateConflict: it has ended.
        """
        if self.status is EntryStatus.OFFERED:
            raise WaitlistOfferPending
        self._refuse_unless(EntryStatus.WAITING)
        same = replace(ask, guest=replace(ask.guest, id=self.ask.guest.id))
        return self._next(ask=same, asked_at=now)

    def mail_link(self, *, now: datetime) -> "Entry | None":
        """The entry once its link is mailed again; None when it does not wait, or was mailed so in this hour.

        It is no other entry by that: the version stays.
        """
        if self.as_of(now).status is not EntryStatus.WAITING:
            return None
        if self.link_mailed_at is not None and now < self.link_mailed_at + _LINK_MAILS_APART:
            return None
        return replace(self, link_mailed_at=now)

    def offer(self) -> "Entry":
        """Room is kept for it. Raises WaitlistStateConflict unless it waits."""
        self._refuse_unless(EntryStatus.WAITING)
        return self._next(status=EntryStatus.OFFERED)

    def accept(self) -> "Entry":
        """The guest said yes. Raises WaitlistOfferGone."""
        self._refuse_unless_offered()
        return self._next(status=EntryStatus.ACCEPTED)

    def decline(self, *, keep: bool) -> "Entry":
        """The guest said no: it ends, or waits again at its old place. Raises WaitlistOfferGone."""
        self._refuse_unless_offered()
        return self._next(status=EntryStatus.WAITING if keep else EntryStatus.DECLINED)

    def end(self, status: EntryStatus) -> "Entry":
        """Withdrawn, removed, closed or expired, whether it waits or is offered something.

        Raises:
            WaitlistStateConflict: it has ended in another way.
        """
        self._refuse_unless(*LIVE)
        return self._next(status=status)

    def link_holds(self, now: datetime) -> bool:
        """Whether its links still open it: until 30 days after the last of its days."""
        return now < self.ask.over_at(ZoneInfo(self.time_zone)) + _LINK_AFTERLIFE

    def _refuse_unless_offered(self) -> None:
        if self.status is not EntryStatus.OFFERED:
            raise WaitlistOfferGone

    def _refuse_unless(self, *statuses: EntryStatus) -> None:
        if self.status not in statuses:
            raise WaitlistStateConflict(metadata={"status": self.status.value})

    def _next(self, **changes: Any) -> "Entry":
        return replace(self, version=self.version + 1, **changes)


@dataclass(frozen=True, slots=True)
class Offer:
    """A booking that is held for an entry."""

    entry_id: UUID
    booking_id: UUID
    start: datetime
    expires_at: datetime
    outcome: Outcome = Outcome.PENDING
    made_at: datetime | None = None
    """None before it is kept."""
    ended_at: datetime | None = None
    """When it was answered, or ended otherwise; None while it is pending."""


def contact_of(email: str) -> bytes:
    """A hash that is the same for one address, however it is written. Empty for no address."""
    plain = unicodedata.normalize("NFKC", email).strip().casefold()
    return hashlib.sha256(plain.encode()).digest() if plain else b""


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
