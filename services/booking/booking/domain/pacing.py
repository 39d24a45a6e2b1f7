"""How many may begin at once: covers and parties in an interval of the wall clock. Counts starts only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import texts
from booking.domain.clock import DAY_MINUTES
from booking.domain.floor import Channel, Party
from booking.domain.placements import Placement
from booking.domain.refusals import Refusal
from servicekit.errors import AppError, Kind


class PacingRuleNotFound(AppError):
    """The venue has no such pacing rule."""

    kind = Kind.NOT_FOUND
    reason = "PACING_RULE_NOT_FOUND"
    detail = "The venue has no such pacing rule."


@dataclass(frozen=True, slots=True)
class PacingRule:
    """A limit on what begins within each interval of a service day. None limits nothing.

    Intervals are counted on the wall clock from the local midnight of the service day. What the clocks show
    twice is one interval.
    """

    id: UUID
    offering_id: UUID | None
    """None for everything that the venue offers, together."""
    interval_minutes: int
    max_covers: int | None = None
    """People that begin, however they booked."""
    max_parties: int | None = None
    online_covers: int | None = None
    """Of these, people who booked online."""
    online_parties: int | None = None

    @classmethod
    def set(
        cls,
        id: UUID,  # noqa: A002
        *,
        offering_id: UUID | None,
        interval_minutes: int,
        max_covers: int | None,
        max_parties: int | None,
        online_covers: int | None,
        online_parties: int | None,
    ) -> "PacingRule":
        """A rule as an owner sets it up.

        Raises:
            Inconsistent: it limits nothing, or lets in more people online than at all.
        """
        limits = (max_covers, max_parties, online_covers, online_parties)
        if all(each is None for each in limits):
            texts.refuse("/max_covers", "must be given, or another limit")
        if max_covers is not None and (online_covers or 0) > max_covers:
            texts.refuse("/online_covers", "must not be greater than max_covers")
        if max_parties is not None and (online_parties or 0) > max_parties:
            texts.refuse("/online_parties", "must not be greater than max_parties")
        return cls(id, offering_id, interval_minutes, *limits)

    def concerns(self, offering_id: UUID) -> bool:
        """Whether visits of an offering count."""
        return self.offering_id in (None, offering_id)

    def admits(self, begun: "Begun", party: Party) -> bool:
        """Whether one more party may begin where so many do already."""
        total = _within(begun.covers + party.size, self.max_covers) and _within(
            begun.parties + 1, self.max_parties
        )
        if party.channel is Channel.STAFF:
            return total
        return (
            total
            and _within(begun.online_covers + party.size, self.online_covers)
            and _within(begun.online_parties + 1, self.online_parties)
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """What begins within an interval."""

    covers: int = 0
    parties: int = 0
    online_covers: int = 0
    online_parties: int = 0

    def with_one(self, party: Party) -> "Begun":
        """One party more."""
        online = party.channel is Channel.ONLINE
        return Begun(
            self.covers + party.size,
            self.parties + 1,
            self.online_covers + party.size * online,
            self.online_parties + online,
        )


_NOBODY = Begun()


@dataclass(frozen=True, slots=True)
class Beginning:
    """A live booking as a changed rule sees it. `start` is in epoch seconds."""

    booking_id: UUID
    offering_id: UUID
    service_date: date
    start: int
    party: Party
    fixed: bool
    """Whether it counts in any case: it has begun, or staff set pacing aside for it."""


def over_limit(zone: ZoneInfo, rule: PacingRule, booked: Iterable[Beginning]) -> list[Beginning]:
    """Those of `booked` that a rule would not let begin any more, in their order.

    What is fixed counts first, then each as long as the rule admits it: without those that are named, all
    others are within it.
    """
    begun: dict[tuple[date, int], Begun] = {}
    over: list[Beginning] = []
    for each in sorted(booked, key=lambda each: not each.fixed):
        if not rule.concerns(each.offering_id):
            continue
        key = each.service_date, _minute(zone, each.service_date, each.start) // rule.interval_minutes
        so_far = begun.get(key, _NOBODY)
        if each.fixed or rule.admits(so_far, each.party):
            begun[key] = so_far.with_one(each.party)
        else:
            over.append(each)
    return over


class Pace:
    """What begins on a service day, by rule and interval."""

    __slots__ = ("_begun", "_rules", "_service_date", "_zone")

    def __init__(
        self,
        zone: ZoneInfo,
        service_date: date,
        rules: Sequence[PacingRule],
        placements: Iterable[Placement],
    ) -> None:
        self._zone = zone
        self._service_date = service_date
        self._rules = rules
        self._begun: dict[tuple[UUID, int], Begun] = {}
        if rules:
            for each in placements:
                if each.service_date == service_date:
                    self._count(each)

    def refusal(self, offering_id: UUID, start: int, party: Party) -> Refusal | None:
        """Why a party may not begin at a start of the day (epoch seconds); None when every rule lets it.

        PARTY_BEYOND_PACE where it never could, whoever else begins.
        """
        if not self._rules:
            return None
        minute = self._minute(start)
        against = [
            rule
            for rule in self._rules
            if rule.concerns(offering_id)
            and not rule.admits(self._begun.get((rule.id, minute // rule.interval_minutes), _NOBODY), party)
        ]
        if not against:
            return None
        never = any(not rule.admits(_NOBODY, party) for rule in against)
        return Refusal.PARTY_BEYOND_PACE if never else Refusal.PACING

    def _count(self, placement: Placement) -> None:
        minute = self._minute(placement.start)
        for rule in self._rules:
            if rule.concerns(placement.offering_id):
                key = rule.id, minute // rule.interval_minutes
                self._begun[key] = self._begun.get(key, Begun()).with_one(placement.party)

    def _minute(self, start: int) -> int:
        return _minute(self._zone, self._service_date, start)


def _minute(zone: ZoneInfo, service_date: date, start: int) -> int:
    """Minutes of wall clock after the midnight that the service day begins with."""
    local = datetime.fromtimestamp(start, zone)
    days = (local.date() - service_date).days
    return days * DAY_MINUTES + local.hour * 60 + local.minute


def _within(count: int, most: int | None) -> bool:
    return most is None or count <= most
