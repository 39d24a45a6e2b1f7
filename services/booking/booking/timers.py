"""What is due in booking: holds that have run out."""

from types import MappingProxyType

from booking.usecases.holds import HOLD_EXPIRY
from booking.usecases.payments import end_hold

TIMERS = MappingProxyType({HOLD_EXPIRY: end_hold})
