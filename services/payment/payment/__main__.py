"""The payment service: `python -m payment <role>`."""

from payment.app import open_app
from payment.consumer import HANDLERS
from payment.servicer import servicers
from payment.settings import Settings
from payment.timers import TIMERS
from servicekit import runtime

SERVICE = runtime.Service(
    name="payment", settings=Settings, open=open_app, servicers=servicers, handlers=HANDLERS, timers=TIMERS
)

if __name__ == "__main__":
    runtime.main(SERVICE)
