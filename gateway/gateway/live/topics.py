"""The names of topics. Each belongs to one organization, in Redis too: a name alone opens nothing."""

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from gateway.live.errors import TopicNotFound

_NAME = re.compile(r"(?:feed|venue:ven_[0-7][0-9a-hjkmnp-tv-z]{25}|ticket:tkt_[0-7][0-9a-hjkmnp-tv-z]{25})")


class TopicKind(StrEnum):
    """What a topic tells of."""

    FEED = "feed"
    """Everything in the organization that the subscriber may read."""
    VENUE = "venue"
    """The room of a venue: its bookings, waitlist, blocks and hours."""
    TICKET = "ticket"
    """One support ticket."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as clients name it."""

    kind: TopicKind
    id: str = ""
    """The typed id of what it is about; nothing for the feed."""

    @property
    def name(self) -> str:
        """Like "venue:ven_…"."""
        return f"{self.kind.value}:{self.id}" if self.id else self.kind.value

    def channel(self, organization: UUID) -> str:
        """The name in Redis."""
        return f"{organization}/{self.name}"


def parse(name: str) -> Topic:
    """The topic of a name. Raises TopicNotFound."""
    if not _NAME.fullmatch(name):
        raise TopicNotFound
    kind, _, about = name.partition(":")
    return Topic(TopicKind(kind), about)


def name_of(channel: str) -> str:
    """The topic's name in a channel."""
    return channel.partition("/")[2]
