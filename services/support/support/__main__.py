"""The support service: `python -m support <role>`."""

from servicekit import runtime
from support.app import open_app
from support.servicer import servicers
from support.settings import Settings

SERVICE = runtime.Service(name="support", settings=Settings, open=open_app, servicers=servicers)

if __name__ == "__main__":
    runtime.main(SERVICE)
