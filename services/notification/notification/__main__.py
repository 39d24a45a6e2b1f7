"""The notification service: `python -m notification <role>`."""

from notification.app import open_app
from notification.consumer import HANDLERS
from notification.servicer import servicers
from notification.settings import Settings
from notification.timers import TIMERS
from servicekit import runtime

SERVICE = runtime.Service(
    name="notification",
    settings=Settings,
    open=open_app,
    servicers=servicers,
    handlers=HANDLERS,
    timers=TIMERS,
)

if __name__ == "__main__":
    runtime.main(SERVICE)
