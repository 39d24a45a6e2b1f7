"""The reaction of the follower: facts become messages of topics."""

from collections.abc import Sequence

from gateway.live import metrics
from gateway.live.facts import told
from gateway.live.store import Store
from servicekit.errors import Unavailable
from servicekit.events import Event

_PUBLISHED = metrics.MESSAGES.labels("published")


class Telling:
    """Publishes events to their topics, a batch at a time. What was published before is not told twice."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, events: Sequence[Event]) -> None:
        """Publishes events in their order. Raises ConnectionError when Redis did not take all: call again."""
        try:
            _PUBLISHED.inc(await self._store.publish([each for event in events for each in told(event)]))
        except Unavailable as error:
            raise ConnectionError from error
