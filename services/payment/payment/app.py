"""What the use cases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from payment.clients.provider import Provider
from payment.clients.stripe_api import StripeProvider
from payment.settings import Settings
from servicekit.database import Database
from servicekit.privacy import PrivacyDesk
from servicekit.runtime import Resources


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of payment."""

    db: Database
    provider: Provider
    privacy: PrivacyDesk = field(kw_only=True)


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """Opens the way to Stripe; closes it afterwards."""
    provider = StripeProvider(resources.settings.stripe)
    try:
        yield App(resources.db, provider, privacy=PrivacyDesk(resources.peer("auth")))
    finally:
        await provider.close()
