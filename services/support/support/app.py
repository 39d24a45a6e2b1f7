"""What the use cases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from servicekit.database import Database
from servicekit.privacy import PrivacyDesk
from servicekit.runtime import Resources
from support.clients import Bookings
from support.settings import Settings


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of support."""

    db: Database
    bookings: Bookings
    privacy: PrivacyDesk = field(kw_only=True)


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """The app on what the runtime opened; there is nothing of its own to close."""
    desk = PrivacyDesk(resources.peer("auth"))
    yield App(resources.db, Bookings(resources.peer("booking")), privacy=desk)
