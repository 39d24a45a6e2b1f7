"""When a booking is, and what happened at the venue."""

from dataclasses import dataclass
from datetime import UTC, date, datetime


@dataclass(frozen=True, slots=True)
class Stay:
    """When, in venue time: a service day, and the instants in between which it lasts."""

    service_date: date
    start: datetime
    end: datetime

    @classmethod
    def of(cls, service_date: date, start: int, end: int) -> "Stay":
        """From epoch seconds."""
        return cls(service_date, datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))


@dataclass(frozen=True, slots=True)
class Visit:
    """What happened at the venue."""

    late_minutes: int = 0
    """Told ahead by the guest."""
    arrived_at: datetime | None = None
    seated_at: datetime | None = None
    completed_at: datetime | None = None
