"""The booking service: `python -m booking <role>`."""

from booking.app import open_app
from booking.consumer import HANDLERS
from booking.servicer import servicers
from booking.settings import Settings
from booking.timers import TIMERS
from servicekit import runtime

SERVICE = runtime.Service(
    name="booking",
    settings=Settings,
    open=open_app,
    servicers=servicers,
    handlers=HANDLERS,
    timers=TIMERS,
)

if __name__ == "__main__":
    runtime.main(SERVICE)
