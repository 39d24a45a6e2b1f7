"""What the use cases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from auth.domain.sessions import Lifetimes
from auth.hashing import Passwords
from auth.settings import Settings
from auth.tokens import Keyring
from servicekit.database import Database
from servicekit.runtime import Resources


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of auth."""

    db: Database
    passwords: Passwords
    keyring: Keyring
    lifetimes: Lifetimes


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """Reads the keys and starts the hashing threads; ends them afterwards."""
    settings = resources.settings
    keyring = Keyring.load(settings.access_token_key_file, settings.second_access_token_key_file)
    passwords = Passwords(settings.hashing)
    try:
        yield App(resources.db, passwords, keyring, lifetimes_of(settings))
    finally:
        passwords.close()


def lifetimes_of(settings: Settings) -> Lifetimes:
    """How long tokens and sessions hold."""
    return Lifetimes(
        access_token=timedelta(seconds=settings.access_token_seconds),
        session=timedelta(days=settings.session_days),
        idle=timedelta(days=settings.session_idle_days),
    )
