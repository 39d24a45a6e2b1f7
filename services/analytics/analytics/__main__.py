"""The analytics service: `python -m analytics <role>`."""

from analytics.app import open_app
from analytics.consumer import HANDLERS
from analytics.servicer import servicers
from analytics.settings import Settings
from servicekit import runtime

SERVICE = runtime.Service(
    name="analytics", settings=Settings, open=open_app, servicers=servicers, handlers=HANDLERS
)

if __name__ == "__main__":
    runtime.main(SERVICE)
