"""From the name of a venue to whose it is. For callers who belong to no organization."""

from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain.bookings import Actor, ActorKind
from booking.domain.floor import Channel
from booking.domain.venues import (
    Venue,
    VenueNotFound,
    VenueRef,
)
from booking.store import venues as store
from servicekit.database import Transaction
from servicekit.identity import Caller, CallerKind

_CACHE_SECONDS = 60
_BOOKS_AS_STAFF = "bookings.write"


@dataclass(frozen=True, slots=True)
class Place:
    """A venue and its tenant. Never changes, so it may come from a cache."""

    organization: UUID
    venue_id: UUID


async def find_place(app: App, ref: VenueRef) -> Place:
    """Whose venue it is.

    Raises:
        VenueNotFound: nobody has such a venue.
    """

    async def load() -> bytes:
        async with app.db.begin_platform(reason="resolve a public venue") as tx:
            found = await store.find_in_directory(tx, venue_id=ref.id, slug=ref.slug)
        if found is None:
            raise VenueNotFound
        organization, venue_id = found
        return organization.bytes + venue_id.bytes

    # Two name spaces: a slug may look like somebody's id.
    key = f"venue:id:{ref.id}" if ref.id else f"venue:slug:{ref.slug}"
    entry = await app.cache.get_or_load(key, load, ttl=_CACHE_SECONDS)
    return Place(UUID(bytes=entry[:16]), UUID(bytes=entry[16:]))


def channel_of(caller: Caller, place: Place) -> Channel:
    """How a caller searches and books at a venue: as staff only who may change its bookings.

    A member of another organization, or one who only looks at bookings, is a guest like any other.
    """
    own = caller.kind is CallerKind.MEMBER and caller.organization == place.organization
    return Channel.STAFF if own and _BOOKS_AS_STAFF in caller.permissions else Channel.ONLINE


def staff(caller: Caller) -> Actor:
    """Who acts for the venue, for the history: a member, a program with an API key, or an operator."""
    if caller.operator:
        return Actor(ActorKind.OPERATOR, caller.operator)
    return Actor(ActorKind.KEY, caller.key) if caller.key else Actor(ActorKind.MEMBER, caller.user)


async def find_own_venue(tx: Transaction, ref: VenueRef) -> Venue:
    """The tenant's own venue.

    Raises:
        VenueNotFound: the tenant has none of this name; somebody else may.
    """
    venue_id = ref.id or await store.find_by_slug(tx, ref.slug)
    venue = await store.get_venue(tx, venue_id) if venue_id else None
    if venue is None:
        raise VenueNotFound
    return venue
