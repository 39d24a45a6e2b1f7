"""A booking and all that belongs to it. What other modules use is named here, once."""

from booking.domain.bookings.deposits import (
    CancellationFeeChanged,
    DepositPayment,
    Settlement,
    refuse_unless_accepted,
)
from booking.domain.bookings.differences import differences
from booking.domain.bookings.guests import Guest, Preferences, Wants, Wish
from booking.domain.bookings.history import (
    NO_REASON,
    Actor,
    ActorKind,
    CancelledBy,
    Change,
    ChangeKind,
    Fact,
    Reason,
)
from booking.domain.bookings.life import (
    ENDED,
    OCCUPYING,
    BookingNotCancellable,
    BookingNotDue,
    BookingNotFound,
    BookingNotMovable,
    BookingStateConflict,
    Status,
    Step,
    destinations,
    refuse_unless_possible,
)
from booking.domain.bookings.links import ManageTokenNotFound, new_token, token_hash
from booking.domain.bookings.promises import Booking
from booking.domain.bookings.stays import Stay, Visit

__all__ = [
    "ENDED",
    "NO_REASON",
    "OCCUPYING",
    "Actor",
    "ActorKind",
    "Booking",
    "BookingNotCancellable",
    "BookingNotDue",
    "BookingNotFound",
    "BookingNotMovable",
    "BookingStateConflict",
    "CancellationFeeChanged",
    "CancelledBy",
    "Change",
    "ChangeKind",
    "DepositPayment",
    "Fact",
    "Guest",
    "ManageTokenNotFound",
    "Preferences",
    "Reason",
    "Settlement",
    "Status",
    "Stay",
    "Step",
    "Visit",
    "Wants",
    "Wish",
    "destinations",
    "differences",
    "new_token",
    "refuse_unless_accepted",
    "refuse_unless_possible",
    "token_hash",
]
