"""The stations of a booking and the steps between them, in one table that alone decides."""

from collections.abc import Mapping
from enum import StrEnum

from servicekit.errors import AppError, Kind


class Status(StrEnum):
    """Where a booking stands."""

    REQUESTED = "requested"
    HELD = "held"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    SEATED = "seated"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    EXPIRED = "expired"
    DECLINED = "declined"


class Step(StrEnum):
    """What somebody does to a booking."""

    CONFIRM = "confirm"
    DECLINE = "decline"
    PAY = "pay"
    ACCEPT = "accept"
    MOVE = "move"
    ASSIGN = "assign"
    DELAY = "delay"
    ARRIVE = "arrive"
    SEAT = "seat"
    COMPLETE = "complete"
    MISS = "miss"
    CANCEL = "cancel"
    EXPIRE = "expire"
    RESCUE = "rescue"
    REMAIL = "remail"


class BookingNotFound(AppError):
    """No booking has this id, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "BOOKING_NOT_FOUND"
    detail = "There is no such booking."


class BookingStateConflict(AppError):
    """The step does not follow from where the booking stands; metadata names both, `status` and `step`."""

    kind = Kind.REFUSED
    reason = "BOOKING_STATE_CONFLICT"
    detail = "This step does not follow from where the booking stands."


class BookingNotMovable(AppError):
    """The booking has begun, or it was cancelled or has expired."""

    kind = Kind.REFUSED
    reason = "BOOKING_NOT_MOVABLE"
    detail = "This booking can no longer be moved."


class BookingNotCancellable(AppError):
    """The booking has begun, or has expired."""

    kind = Kind.REFUSED
    reason = "BOOKING_NOT_CANCELLABLE"
    detail = "This booking can no longer be cancelled."


class BookingNotDue(AppError):
    """It is too early or too late for the step: nobody arrives hours ahead, or is missed before the start."""

    kind = Kind.REFUSED
    reason = "BOOKING_NOT_DUE"
    detail = "It is not the time for this step."


OCCUPYING = frozenset({Status.HELD, Status.CONFIRMED, Status.ARRIVED, Status.SEATED})
"""What always has its resources. A request has them when its offering says so."""
ENDED = frozenset({Status.COMPLETED, Status.CANCELLED, Status.DECLINED})
"""No step leads out of these. One leads out of `expired`, money that comes late, and two out of `no_show`,
the guest who comes after all."""

_UNBEGUN = frozenset({Status.REQUESTED, Status.HELD, Status.CONFIRMED})
_MAILED = frozenset({Status.REQUESTED, Status.HELD, Status.CONFIRMED})
_ROADS: Mapping[Step, tuple[frozenset[Status], frozenset[Status]]] = {
    Step.CONFIRM: (frozenset({Status.REQUESTED}), frozenset({Status.HELD, Status.CONFIRMED})),
    Step.DECLINE: (frozenset({Status.REQUESTED}), frozenset({Status.DECLINED})),
    Step.PAY: (frozenset({Status.HELD}), frozenset({Status.CONFIRMED})),
    Step.ACCEPT: (frozenset({Status.HELD}), frozenset({Status.HELD, Status.CONFIRMED})),
    Step.MOVE: (_UNBEGUN, _UNBEGUN),
    Step.ASSIGN: (OCCUPYING, OCCUPYING),
    Step.DELAY: (frozenset({Status.CONFIRMED}), frozenset({Status.CONFIRMED})),
    Step.ARRIVE: (frozenset({Status.CONFIRMED, Status.NO_SHOW}), frozenset({Status.ARRIVED})),
    Step.SEAT: (
        frozenset({Status.CONFIRMED, Status.ARRIVED, Status.NO_SHOW}),
        frozenset({Status.SEATED}),
    ),
    Step.COMPLETE: (frozenset({Status.ARRIVED, Status.SEATED}), frozenset({Status.COMPLETED})),
    Step.MISS: (frozenset({Status.CONFIRMED, Status.ARRIVED}), frozenset({Status.NO_SHOW})),
    Step.CANCEL: (_UNBEGUN, frozenset({Status.CANCELLED})),
    Step.EXPIRE: (frozenset({Status.REQUESTED, Status.HELD}), frozenset({Status.EXPIRED})),
    Step.RESCUE: (frozenset({Status.EXPIRED}), frozenset({Status.CONFIRMED})),
    Step.REMAIL: (_MAILED, _MAILED),
}
_STAYING = frozenset({Step.MOVE, Step.ASSIGN, Step.DELAY, Step.REMAIL})
_REFUSED_AS: Mapping[Step, type[AppError]] = {
    Step.MOVE: BookingNotMovable,
    Step.CANCEL: BookingNotCancellable,
}


def refuse_unless_possible(step: Step, status: Status) -> None:
    """Lets a step pass that follows from where the booking stands.

    Raises:
        BookingNotMovable, BookingNotCancellable: for the two steps that guests take.
        BookingStateConflict: for all others.
    """
    if status not in _ROADS[step][0]:
        refused = _REFUSED_AS.get(step, BookingStateConflict)
        raise refused(metadata={"status": status.value, "step": step.value})


def destinations(step: Step, status: Status) -> frozenset[Status]:
    """Where a step leads from a station; nowhere when it does not follow."""
    starts, ends = _ROADS[step]
    if status not in starts:
        return frozenset()
    return frozenset({status}) if step in _STAYING else ends
