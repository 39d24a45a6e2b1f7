"""The person who books and what they wish. Personal data: never in an event, never in a log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import texts
from booking.domain.calendar import Start, instant_of
from booking.domain.floor import Channel, Party
from booking.domain.overrides import Override, Rule

_DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Wants:
    """What a guest wants of one kind: short words, and what no word says."""

    words: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, pointer: str, words: Sequence[str], note: str) -> "Wants":
        """Words in order and each once. Raises InvalidRequest for blank ones and control characters."""
        named = {
            texts.name(f"{pointer}/words/{number}", word).lower(): None for number, word in enumerate(words)
        }
        return cls(tuple(sorted(named)), texts.several_lines(f"{pointer}/note", note))


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the guest told about themselves for this visit."""

    dietary: Wants = field(default_factory=Wants)
    accessibility: Wants = field(default_factory=Wants)
    occasion: str = ""
    marketing_consent: bool = False
    """Given with this booking: its time is the booking's."""


@dataclass(frozen=True, slots=True)
class Guest:
    """The person who books; nobody in particular has no name."""

    id: UUID
    name: str
    email: str
    """Empty for whom staff wrote in without one: nobody is mailed."""
    phone: str
    language: str
    preferences: Preferences = field(default_factory=Preferences)

    @classmethod
    def meet(
        cls,
        id: UUID,  # noqa: A002
        *,
        name: str,
        email: str,
        phone: str,
        language: str,
        preferences: Preferences | None = None,
    ) -> "Guest":
        """A guest who writes their name in the book. InvalidRequest when it is blank."""
        named = texts.name("/guest/name", name)
        return cls(id, named, email, phone, language or _DEFAULT_LANGUAGE, preferences or Preferences())

    @classmethod
    def drop_in(cls, id: UUID, *, name: str = "", phone: str = "") -> "Guest":  # noqa: A002
        """Somebody at the door, who may stay nameless. InvalidRequest for control characters."""
        return cls(id, texts.one_line("/guest/name", name), "", phone, _DEFAULT_LANGUAGE)

    def refuse_unless_mailable(self) -> None:
        """Lets a guest pass who can be written to. Raises Inconsistent for one without an e-mail address."""
        if not self.email:
            texts.refuse("/guest/email", "must be given, unless staff book for somebody")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to book. `start` is in epoch seconds."""

    offering_id: UUID
    start: int
    party_size: int
    guest: Guest
    notes: str
    override: Override | None = None
    local_start: datetime | None = None
    """What the venue's clocks show at the start, until `resolved`."""
    area_id: UUID | None = None
    """Only there."""
    attributes: frozenset[str] = frozenset()
    """What everything that seats the party must have."""

    @classmethod
    def of(
        cls,
        guest: Guest,
        *,
        offering_id: UUID,
        start: Start,
        party_size: int,
        notes: str,
        override: Override | None = None,
        area_id: UUID | None = None,
        attributes: Iterable[str] = (),
    ) -> "Wish":
        """A guest's wish. InvalidRequest when the notes hold what no mail would show."""
        lines = texts.several_lines("/notes", notes)
        local = start if isinstance(start, datetime) else None
        return cls(
            offering_id=offering_id,
            start=0 if isinstance(start, datetime) else start,
            party_size=party_size,
            guest=guest,
            notes=lines,
            override=override,
            local_start=local,
            area_id=area_id,
            attributes=frozenset(attributes),
        )

    def resolved(self, zone: ZoneInfo) -> "Wish":
        """With an instant for its start. Raises LocalTimeMissing, LocalTimeAmbiguous."""
        if self.local_start is None:
            return self
        return replace(self, start=instant_of(zone, self.local_start), local_start=None)

    def party(self, channel: Channel) -> Party:
        """Who is to be seated."""
        any_size = Rule.PARTY_SIZE in self.waived
        return Party(self.party_size, channel, self.area_id, self.attributes, any_size)

    @property
    def waived(self) -> frozenset[Rule]:
        """The rules that staff set aside for it."""
        return self.override.rules if self.override else frozenset()
