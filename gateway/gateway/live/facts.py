"""Events → what topics tell. No event holds a person's data (ADR 0006), so neither does a topic."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor

from gateway.live.topics import Topic, TopicKind
from gateway.transcoding import writer
from servicekit import contract
from servicekit.events import Event

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_BOOKINGS, _TICKETS, _PAYMENTS = "bookings.read", "tickets.read", "payments.read"
_PERMISSIONS = {
    "comptoir.booking.v1": _BOOKINGS,
    "comptoir.support.v1": _TICKETS,
    "comptoir.payment.v1": _PAYMENTS,
}
FEED_PERMISSIONS = frozenset(_PERMISSIONS.values())
"""Who has one of these may have a feed, with what the permission allows."""
_UNTOLD = frozenset({"BookingLinkRequested", "WaitlistLinkRequested"})
"""They change nothing."""
_BRIEF = frozenset({"VenueChanged", "VenueCapacityChanged"})
"""They carry the whole venue. Who wants that reads it."""

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What one event adds to one topic."""

    channel: str
    event: str
    """Its id: the same event is told once."""
    permission: str
    """What a reader of the feed needs."""
    venue: str
    """The venue that it is about, as a typed id; nothing for what is about none."""
    body: bytes
    """A JSON object with type, time and data."""


@dataclass(frozen=True, slots=True)
class _Teller:
    """How the events of one type are told."""

    type: str
    permission: str
    venue: Callable[[Any], str]
    ticket: Callable[[Any], str]
    data: Callable[[Any], Data]


def told(event: Event) -> list[Told]:
    """What an event adds to the topics of its organization; nothing when none tells of it."""
    teller = _tellers().get(event.type)
    if teller is None or event.organization is None:
        return []
    venue, ticket = teller.venue(event.message), teller.ticket(event.message)
    topics = [Topic(TopicKind.FEED)]
    if venue:
        topics.append(Topic(TopicKind.VENUE, venue))
    if ticket:
        topics.append(Topic(TopicKind.TICKET, ticket))
    time = event.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = orjson.dumps({"type": teller.type, "time": time, "data": teller.data(event.message)})
    return [
        Told(each.channel(event.organization), str(event.id), teller.permission, venue, body)
        for each in topics
    ]


@cache
def _tellers() -> Mapping[str, _Teller]:
    found = {}
    for event in contract.events().values():
        permission = _PERMISSIONS.get(event.topic)
        descriptor = event.descriptor
        venue, ticket = _place_of(descriptor), _field(descriptor, "ticket_id")
        about = venue is not None or ticket is not None or bool(event.rules.webhook)
        if permission is None or not about or descriptor.name in _UNTOLD:
            continue
        found[event.name] = _Teller(
            type=event.rules.webhook or _type_name(descriptor.name, event.rules.aggregate),
            permission=permission,
            venue=venue or _nothing,
            ticket=ticket or _nothing,
            data=_brief(descriptor) if descriptor.name in _BRIEF else writer(descriptor),
        )
    return found


def _type_name(event: str, aggregate: str) -> str:
    """BookingReseated → booking.reseated, VenueCapacityChanged → venue.capacity_changed; as for webhooks."""
    words = [word.lower() for word in _WORD.split(event)]
    about = len(aggregate.split("_")) if "_".join(words).startswith(f"{aggregate}_") else 1
    return f"{'_'.join(words[:about])}.{'_'.join(words[about:])}"


def _nothing(_message: Any) -> str:
    return ""


def _field(descriptor: Descriptor, name: str) -> Callable[[Any], str] | None:
    if name not in descriptor.fields_by_name:
        return None
    return lambda message: str(getattr(message, name))


def _place_of(descriptor: Descriptor) -> Callable[[Any], str] | None:
    """Where an event names its venue: itself, or the booking, the entry or the venue that it carries."""
    own = _field(descriptor, "venue_id")
    if own is not None:
        return own
    for holder, name in (("booking", "venue_id"), ("entry", "venue_id"), ("venue", "id")):
        field = descriptor.fields_by_name.get(holder)
        if field is not None and field.message_type is not None:
            return _nested(holder, name)
    return None


def _nested(holder: str, name: str) -> Callable[[Any], str]:
    return lambda message: str(getattr(getattr(message, holder), name))


def _brief(descriptor: Descriptor) -> Callable[[Any], Data]:
    place, versioned = _place_of(descriptor), "version" in descriptor.fields_by_name

    def brief(message: Any) -> Data:
        data: Data = {"venue_id": place(message) if place else ""}
        return data | ({"version": message.version} if versioned else {})

    return brief
