"""What the use cases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from analytics.settings import Settings
from servicekit.database import Database
from servicekit.privacy import PrivacyDesk
from servicekit.runtime import Resources


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of analytics."""

    db: Database
    privacy: PrivacyDesk


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """The app on what the runtime opened; there is nothing of its own to close."""
    yield App(resources.db, PrivacyDesk(resources.peer("auth")))
