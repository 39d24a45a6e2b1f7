"""What is due in booking: holds, requests, offers and waits that are over, and room for those who wait."""

from types import MappingProxyType

from booking.store.sweeps import WAITLIST_SWEEP
from booking.usecases.deadlines import HOLD_EXPIRY, NO_SHOW, REQUEST_EXPIRY
from booking.usecases.offers import WAITLIST_OFFER, end_offer
from booking.usecases.payments import end_hold
from booking.usecases.rebookings import WAITLIST_REBOOKING, end_rebooking
from booking.usecases.requests import end_request
from booking.usecases.sweeps import sweep
from booking.usecases.visits import end_wait
from booking.usecases.waitlist import WAITLIST_END, end_entry

TIMERS = MappingProxyType(
    {
        HOLD_EXPIRY: end_hold,
        REQUEST_EXPIRY: end_request,
        NO_SHOW: end_wait,
        WAITLIST_SWEEP: sweep,
        WAITLIST_OFFER: end_offer,
        WAITLIST_END: end_entry,
        WAITLIST_REBOOKING: end_rebooking,
    }
)
