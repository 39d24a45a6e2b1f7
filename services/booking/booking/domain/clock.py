"""Local times: as people write them, and as minutes after the midnight that a service day begins with."""

from dataclasses import dataclass

from servicekit.errors import AppError, Kind, Violation

DAY_MINUTES = 1440


class LastStartOutsideShift(AppError):
    """The last start is not before the closing."""

    kind = Kind.UNPROCESSABLE
    reason = "LAST_START_OUTSIDE_SHIFT"
    detail = "The last start must be between the opening and the closing."


@dataclass(frozen=True, slots=True)
class Lead:
    """A local time on a day before the service date: "18:00 on the day before" is Lead(1, 1080)."""

    days: int
    minute: int

    @classmethod
    def of(cls, days: int, time: str) -> "Lead":
        """From a local time "HH:MM"."""
        return cls(days, minutes_of(time))


def clock_time(minutes: int) -> str:
    """Minutes after the service day's midnight as a local time: "19:00"; "24:00" is the midnight after."""
    if minutes == DAY_MINUTES:
        return "24:00"
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def minutes_of(text: str) -> int:
    """A local time "HH:MM" as minutes after midnight; "24:00" is 1440."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def window_of(opens: str, last_start: str, closes: str, pointer: str = "") -> tuple[int, int, int]:
    """Opening, last start and closing from local times "HH:MM", as minutes after the service day's midnight.

    A last start before the opening is after midnight; so is a closing that is not later than the opening.

    Raises:
        LastStartOutsideShift: it is not before the closing.
    """
    opening, last, closing = (minutes_of(text) for text in (opens, last_start, closes))
    if last < opening:
        last += DAY_MINUTES
    if closing <= opening:
        closing += DAY_MINUTES
    if last >= closing:
        raise LastStartOutsideShift(
            violations=[Violation(f"{pointer}/last_start", "must be between the opening and the closing")]
        )
    return opening, last, closing
