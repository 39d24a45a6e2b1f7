"""What a service day looks like in a calendar: whether something can be booked, and if not, why. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from booking.domain.availability import Found
from booking.domain.refusals import Refusal

MOST_DAYS = 62
"""How many service days a calendar shows: two months."""
_ORDER = {refusal: number for number, refusal in enumerate(Refusal)}


@dataclass(frozen=True, slots=True)
class Overview:
    """A service day for a party."""

    service_date: date
    zone: ZoneInfo
    open: bool
    """Whether some start is not closed."""
    bookable: int
    """How many starts can be booked."""
    first_start: int | None
    """The first of them, in epoch seconds."""
    refusal: Refusal | None
    """Why none can be; None when some can."""
    notes: Sequence[str]
    """What the venue tells everybody about the day."""

    @classmethod
    def of(cls, service_date: date, found: Found) -> "Overview":
        """The overview of a searched day.

        Of several refusals the one that came nearest to a yes is told: the last in the order in which the
        refusals of a start are told. So a day whose first starts are over and whose others are sold out is
        fully booked. A day without starts is closed.
        """
        bookable = [slot.start for slot in found.slots if slot.refusal is None]
        refusals = {slot.refusal for slot in found.slots if slot.refusal is not None}
        leading = max(refusals, key=_ORDER.__getitem__, default=Refusal.CLOSED)
        return cls(
            service_date=service_date,
            zone=found.zone,
            open=bool(bookable) or leading is not Refusal.CLOSED,
            bookable=len(bookable),
            first_start=bookable[0] if bookable else None,
            refusal=None if bookable else leading,
            notes=tuple(found.notes),
        )
