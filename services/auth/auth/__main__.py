"""The auth service: `python -m auth <role>`."""

from collections.abc import Sequence

from auth.app import App, open_app
from auth.commands import VERBS
from auth.consumer import HANDLERS
from auth.settings import Settings
from auth.timers import TIMERS
from servicekit import runtime
from servicekit.rpc.server import Registration


def _servicers(app: App) -> Sequence[Registration]:
    from auth.servicer import servicers  # noqa: PLC0415  # SCIM's models: a second, and memory, of other roles

    return servicers(app)


SERVICE = runtime.Service(
    name="auth",
    settings=Settings,
    open=open_app,
    servicers=_servicers,
    handlers=HANDLERS,
    timers=TIMERS,
    verbs=VERBS,
)

if __name__ == "__main__":
    runtime.main(SERVICE)
