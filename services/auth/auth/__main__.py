"""The auth service: `python -m auth <role>`."""

from auth.app import open_app
from auth.commands import VERBS
from auth.consumer import HANDLERS
from auth.servicer import servicers
from auth.settings import Settings
from auth.timers import TIMERS
from servicekit import runtime

SERVICE = runtime.Service(
    name="auth",
    settings=Settings,
    open=open_app,
    servicers=servicers,
    handlers=HANDLERS,
    timers=TIMERS,
    verbs=VERBS,
)

if __name__ == "__main__":
    runtime.main(SERVICE)
