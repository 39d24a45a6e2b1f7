"""Who may listen to what: the gateway looks at the policy, the service that owns the thing decides."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2
from comptoir.booking.v1 import booking_pb2
from comptoir.support.v1 import ticket_pb2
from gateway.live.facts import FEED_PERMISSIONS
from gateway.live.store import Entry
from gateway.live.topics import Topic, TopicKind
from servicekit import contract, ids
from servicekit.errors import PermissionDenied, Unauthenticated, VenueNotFound
from servicekit.identity import Caller, CallerKind
from servicekit.rpc.authorization import authorize, keep_to_venues

Ask = Callable[[str, Message, Caller], Awaitable[None]]
"""Calls an RPC (its path) as the caller, who may or may not. Raises what the service refuses with."""
Tell = Callable[[Caller, str], Awaitable[None]]
"""Has an operator's listening written down before it begins: caller and the typed id. Raises AppError."""

_LIST_BOOKINGS = "/comptoir.booking.v1.BookingService/ListBookings"
_GET_TICKET = "/comptoir.support.v1.TicketService/GetTicket"
_SOME_DAY = "2000-01-01"


@dataclass(frozen=True, slots=True)
class Admission:
    """Decides by the very calls that read the same: nothing is to be heard that cannot be read."""

    ask: Ask
    tell: Tell

    async def admit(self, caller: Caller, topic: Topic) -> None:
        """Lets the caller listen to the topic of their organization.

        Raises:
            Unauthenticated: nobody without an organization listens.
            PermissionDenied: they may not read such things.
            AppError: what the service says that does not find the thing for them.
        """
        refuse_strangers(caller)
        match topic.kind:
            case TopicKind.FEED:
                if not caller.permissions & FEED_PERMISSIONS:
                    raise PermissionDenied
            case TopicKind.VENUE:
                wish = booking_pb2.ListBookingsRequest(venue_id=topic.id, date=_SOME_DAY, page_size=1)
                await self._may(_LIST_BOOKINGS, wish, caller)
            case TopicKind.TICKET:
                await self._may(_GET_TICKET, ticket_pb2.GetTicketRequest(ticket_id=topic.id), caller)
        if caller.operator is not None:
            await self.tell(caller, topic.id)

    async def _may(self, path: str, wish: Message, caller: Caller) -> None:
        policy = _policies()[path]
        authorize(policy, caller)
        keep_to_venues(policy, caller, wish)
        await self.ask(path, wish, caller)


def refuse_strangers(caller: Caller) -> None:
    """Raises Unauthenticated for whoever acts in no organization."""
    if caller.kind is not CallerKind.MEMBER or caller.organization is None:
        raise Unauthenticated


def sight(caller: Caller, topic: Topic) -> Callable[[Entry], bool]:
    """Which entries of a topic the caller sees: of the feed only what they may read elsewhere."""
    if topic.kind is not TopicKind.FEED:
        return _everything

    def sees(entry: Entry) -> bool:
        if entry.permission not in caller.permissions:
            return False
        if caller.venues is None:
            return True
        venue = _venue_of(entry)
        return venue is not None and caller.enters(venue)

    return sees


def _venue_of(entry: Entry) -> UUID | None:
    """The venue that an entry is about; None for none, and for what is no id of one."""
    try:
        return ids.parse("ven", entry.venue, VenueNotFound)
    except VenueNotFound:
        return None


def _everything(_entry: Entry) -> bool:
    return True


def _policies() -> Mapping[str, policy_pb2.Policy]:
    known = contract.rpcs()
    return {path: policy for path in (_LIST_BOOKINGS, _GET_TICKET) if (policy := known[path].policy)}
