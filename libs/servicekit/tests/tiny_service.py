"""The smallest service there is, run as a process by test_runtime.py; it has every role and does nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_settings import SettingsConfigDict

from comptoir.payment.v1 import events_pb2
from servicekit import runtime
from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Only what every service reads."""

    model_config = SettingsConfigDict(env_prefix="BOOKING_")


@asynccontextmanager
async def _open(_resources: runtime.Resources[Settings]) -> AsyncIterator[None]:
    yield


async def _nothing(*_: object) -> None:
    pass


_HANDLERS: Any = {events_pb2.PaymentSucceeded: _nothing}
_TIMERS: Any = {"nothing": _nothing}

if __name__ == "__main__":
    runtime.main(
        runtime.Service(
            name="booking",
            settings=Settings,
            open=_open,
            servicers=lambda _: [],
            handlers=_HANDLERS,
            timers=_TIMERS,
        )
    )
