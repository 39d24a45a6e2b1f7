"""The support service: `python -m support <role>`."""

from servicekit import runtime
from support.app import open_app
from support.consumer import HANDLERS
from support.servicer import servicers
from support.settings import Settings
from support.timers import TIMERS

SERVICE = runtime.Service(
    name="support",
    settings=Settings,
    open=open_app,
    servicers=servicers,
    handlers=HANDLERS,
    timers=TIMERS,
)

if __name__ == "__main__":
    runtime.main(SERVICE)
