"""One topic in one process: hands entries on in order, each once, or says that some are lost. Does no I/O."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.live.store import Entry, Position, Reading


class Listener(Protocol):
    """Where a subscription's entries go."""

    def deliver(self, _subscription: "Subscription", entry: Entry, /) -> None:
        """Takes the next entry. It must not block."""

    def tell_place(self, subscription: "Subscription", *, recovered: bool) -> None:
        """Is told that the subscription goes on from its position, and whether nothing before it is lost."""


class Subscription:
    """One connection's part in a topic. While it catches up, what comes meanwhile waits."""

    __slots__ = ("_listener", "_sees", "_waiting", "lost", "position", "topic")

    def __init__(self, topic: str, listener: Listener, sees: Callable[[Entry], bool]) -> None:
        self.topic = topic
        self.position = Position("", 0)
        self.lost = False
        """Whether entries were lost while it was catching up."""
        self._listener = listener
        self._sees = sees
        self._waiting: list[Entry] | None = []

    def take(self, entry: Entry) -> None:
        """Hands an entry on, unless it was handed on before."""
        if self._waiting is not None:
            self._waiting.append(entry)
            return
        if entry.position.offset <= self.position.offset:
            return
        self.position = entry.position
        if self._sees(entry):
            self._listener.deliver(self, entry)

    def go_on(self, position: Position, *, recovered: bool) -> None:
        """Begins, or begins again, at a place: what waited before it is dropped."""
        self._begin(position, (), recovered=recovered)

    def resume(self, since: Position, missed: Sequence[Entry]) -> None:
        """Goes on from a place with what was missed since, then with what waited."""
        self._begin(since, missed, recovered=True)

    def _begin(self, position: Position, missed: Sequence[Entry], *, recovered: bool) -> None:
        waiting, self._waiting = self._waiting or [], None
        self.position = position
        self._listener.tell_place(self, recovered=recovered)
        for entry in (*missed, *waiting):
            if entry.position.epoch == position.epoch:
                self.take(entry)

    def lose(self, position: Position) -> None:
        """Says that entries were lost, or will say so when it has caught up."""
        if self._waiting is None:
            self.go_on(position, recovered=False)
        else:
            self.lost = True


class Room:
    """A topic as far as this process has heard of it."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.position: Position | None = None
        self.subscriptions: set[Subscription] = set()
        self.reading = False
        """Whether somebody is asking Redis for what came after `position`."""
        self.behind = True
        """Whether somebody must."""
        self.checked_at = 0.0
        self._heard: Position | None = None
        self._doubted = False

    def doubt(self) -> None:
        """Whatever was told lately may have been missed."""
        self.behind = self._doubted = True

    def hear(self, entry: Entry) -> None:
        """Takes an entry as it was told. `behind` afterwards when there was one before it that was not."""
        if self.reading:
            self._heard = entry.position
        elif (
            self.position is None
            or entry.position.epoch != self.position.epoch
            or entry.position.offset > self.position.offset + 1
        ):
            self.behind = True
        elif entry.position.offset == self.position.offset + 1:
            self._hand_on(entry)

    def catch_up(self, reading: Reading) -> None:
        """Takes what Redis has after `position`. `behind` afterwards when more was told meanwhile."""
        known, self.position = self.position, reading.position
        if known is not None and reading.complete:
            self.position = known
            for entry in reading.entries:
                self._hand_on(entry)
            self.position = reading.position  # past entries that nobody can read
        elif known is not None:
            for subscription in tuple(self.subscriptions):
                subscription.lose(reading.position)
        heard, self._heard = self._heard, None
        doubted, self._doubted = self._doubted, False
        self.behind = doubted or (
            heard is not None and (heard.epoch != self.position.epoch or heard.offset > self.position.offset)
        )

    def admit(self, subscription: Subscription, since: Position | None, reading: Reading | None) -> None:
        """Lets a subscription go on: from now, or from `since` with what Redis has after it.

        The subscription must have been in the room since before Redis was read.
        """
        assert self.position is not None  # noqa: S101  # the hub admits nobody before
        if reading is None:
            subscription.go_on(self.position, recovered=since is not None and not subscription.lost)
        elif (
            since is None
            or subscription.lost
            or not reading.complete
            or reading.position.epoch != self.position.epoch
        ):
            subscription.go_on(self.position, recovered=False)
        else:
            subscription.resume(since, reading.entries)

    def _hand_on(self, entry: Entry) -> None:
        self.position = entry.position
        for subscription in tuple(self.subscriptions):
            subscription.take(entry)
