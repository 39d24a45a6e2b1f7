"""What is due in booking: what is over, room for those who wait, and people who are to be forgotten."""

from types import MappingProxyType

from booking.store.sweeps import WAITLIST_SWEEP
from booking.usecases.deadlines import HOLD_EXPIRY, NO_SHOW, REQUEST_EXPIRY
from booking.usecases.offers import WAITLIST_OFFER, end_offer
from booking.usecases.payments import end_hold
from booking.usecases.purges import purge
from booking.usecases.rebookings import WAITLIST_REBOOKING, end_rebooking
from booking.usecases.requests import end_request
from booking.usecases.sweeps import sweep
from booking.usecases.visits import end_wait
from booking.usecases.waitlist import WAITLIST_END, end_entry
from servicekit.purging import PURGE

TIMERS = MappingProxyType(
    {
        HOLD_EXPIRY: end_hold,
        REQUEST_EXPIRY: end_request,
        NO_SHOW: end_wait,
        WAITLIST_SWEEP: sweep,
        WAITLIST_OFFER: end_offer,
        WAITLIST_END: end_entry,
        WAITLIST_REBOOKING: end_rebooking,
        PURGE: purge,
    }
)
