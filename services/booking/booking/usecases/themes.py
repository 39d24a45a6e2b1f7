"""How organizations look: copied from auth's events, and shown with their venues."""

from uuid import UUID

from booking.app import App
from booking.domain.themes import Theme
from booking.domain.venues import Venue
from booking.store import themes as store
from booking.store import venues as venue_store
from servicekit import inbox
from servicekit.events import Event

_MOST_VENUES = 50


async def note_theme(app: App, event: Event, theme: Theme) -> None:
    """Copies what an organization changed, unless a newer change is known. Raises AlreadyHandled."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await store.note_theme(tx, event.message.version, theme)


async def list_site_venues(app: App, organization: UUID) -> tuple[list[Venue], Theme | None]:
    """The first fifty venues of an organization by name, and how it looks: for its own domain."""
    async with app.db.begin(organization) as tx:
        return await venue_store.list_first(tx, _MOST_VENUES), await store.get_theme(tx)
