"""What the use cases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from booking.clients import Allowances, Deposits
from booking.domain.availability import Found
from booking.domain.overviews import Overview
from booking.settings import Settings
from booking.store.days import Plans
from booking.store.searches import Searches
from servicekit.cache import Cache
from servicekit.database import Database
from servicekit.privacy import PrivacyDesk
from servicekit.runtime import Resources

_MOST_OVERVIEWS = 8_192
"""Service days of calendars: some hundred bytes each."""


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of booking."""

    db: Database
    cache: Cache
    deposits: Deposits
    hold_ttl: timedelta
    privacy: PrivacyDesk = field(kw_only=True)
    allowances: Allowances = field(kw_only=True)
    offer_ttl: timedelta = timedelta(minutes=15)
    """How long a guest of the waitlist may think about an offer."""
    guarded: bool = True
    """False in the negative control of the torture test: plans are committed unseen."""
    plans: Plans = field(default_factory=Plans)
    searches: Searches[Found] = field(default_factory=Searches)
    overviews: Searches[Overview] = field(default_factory=lambda: Searches(most=_MOST_OVERVIEWS))


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """Puts the parts together; they close themselves."""
    settings = resources.settings
    yield App(
        db=resources.db,
        cache=resources.cache,
        deposits=Deposits(resources.peer("payment")),
        privacy=PrivacyDesk(resources.peer("auth")),
        allowances=Allowances(resources.peer("auth")),
        hold_ttl=timedelta(seconds=settings.hold_ttl_seconds),
        offer_ttl=timedelta(seconds=settings.offer_ttl_seconds),
        guarded=not settings.unsafe_no_lock,
    )
