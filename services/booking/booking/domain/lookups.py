"""Whether single starts can be booked, told from the searches of their days. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import calendar, texts
from booking.domain.availability import Found, Plan, Slot
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.floor import Party
from booking.domain.refusals import Refusal
from booking.domain.snapshots import Inquiry


@dataclass(frozen=True, slots=True)
class Wanted:
    """A start of an offering, for a party."""

    offering_id: UUID
    start: int
    """Epoch seconds."""
    party: Party


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a wanted start."""

    zone: ZoneInfo
    wanted: Wanted
    slot: Slot | None
    """None when the offering has no such start."""
    refusal: Refusal | None
    """None when it can be booked."""


def refuse_beyond_calendar(pointer: str, start: int) -> None:
    """Raises Inconsistent for an instant outside the service days that this platform knows."""
    if not FIRST_DAY <= datetime.fromtimestamp(start, UTC).date() <= LAST_DAY:
        texts.refuse(pointer, f"must be a moment of the years {FIRST_DAY.year} to {LAST_DAY.year}")


def inquiry_of(plan: Plan, wanted: Wanted) -> Inquiry | None:
    """The search that knows the answer; None when the offering has no such start. Raises OfferingNotFound."""
    offering = plan.offering(wanted.offering_id)
    service_date = plan.service_date(offering, wanted.start)
    return Inquiry(service_date, wanted.party, wanted.offering_id) if service_date else None


def verdict(zone: ZoneInfo, wanted: Wanted, found: Found | None, *, now: int) -> Verdict:
    """The answer, from the search of `inquiry_of`: as if one booked the start.

    A start that the offering does not have is closed; one that is over is too soon, whatever it was.
    """
    if found is None:
        refusal = Refusal.NOTICE if wanted.start < now else Refusal.CLOSED
        return Verdict(zone, wanted, None, refusal)
    slot = next(each for each in found.slots if each.start == wanted.start)
    return Verdict(zone, wanted, slot, slot.refusal)


def service_date_near(plan: Plan, wanted: Wanted) -> date:
    """The service day of a start; of an instant that is none, the one of the nearest start.

    Either the local day or the one before, past midnight; the local day when neither has starts.
    Raises OfferingNotFound.
    """
    offering = plan.offering(wanted.offering_id)
    having = plan.service_date(offering, wanted.start)
    if having is not None:
        return having
    days = calendar.service_dates_of(plan.zone, wanted.start)

    def distance(day: date) -> float:
        starts = plan.starts(offering, day)
        return min((abs(each - wanted.start) for each in starts), default=float("inf"))

    return min(days, key=distance)
