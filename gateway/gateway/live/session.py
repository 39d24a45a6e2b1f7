"""What a client says, and what happens then: topics begin and end. Every refusal leaves the stream open."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.live.admission import Admission, sight
from gateway.live.connection import Connection
from gateway.live.errors import MalformedMessage, TooManyMessages, TooManyTopics
from gateway.live.hub import Hub
from gateway.live.room import Subscription
from gateway.live.settings import LiveSettings
from gateway.live.store import Position
from gateway.live.topics import Topic, parse
from servicekit.errors import AppError

_KNOWN = frozenset({"subscribe", "unsubscribe", "since", "ping"})
_LONGEST_PING = 100
_LARGEST_OFFSET = 2**53
_LONGEST_EPOCH = 40


class Session:
    """One client's stream from its first topic to its end."""

    def __init__(
        self,
        connection: Connection,
        hub: Hub,
        admission: Admission,
        settings: LiveSettings,
        may_speak: Callable[[int], bool],
    ) -> None:
        """`may_speak`: whether the caller may say so much; each topic that they want counts as a message."""
        self._connection = connection
        self._hub = hub
        self._admission = admission
        self._settings = settings
        self._may_speak = may_speak
        self._topics: dict[str, tuple[Topic, Subscription]] = {}

    async def hear(self, text: str | bytes) -> None:
        """Does what a message of the client says, as far as it may."""
        said = _heard(text)
        if not self.count(max(1, len(said.subscribe)) if said else 1):
            return
        if said is None:
            self._connection.refuse(MalformedMessage())
            return
        for name in said.unsubscribe:
            self.unsubscribe(name)
        for name in said.subscribe:
            await self.subscribe(name, said.since.get(name))
        if said.ping is not None:
            self._connection.tell("pong", ping=said.ping)

    def count(self, messages: int) -> bool:
        """Closes the stream of a caller who says too much; False once it is closed.

        Each topic that they want counts as a message, for a service is asked about it, and so does a ping.
        """
        if self._may_speak(messages):
            return True
        self._connection.close(TooManyMessages())
        return False

    async def subscribe(self, name: str, since: Position | None) -> AppError | None:
        """Begins a topic, or says why not: over the stream, and to who asked."""
        try:
            await self._subscribe(name, since)
        except AppError as refusal:
            self.unsubscribe(name, silent=True)
            self._connection.refuse(refusal, topic=name)
            return refusal
        return None

    async def _subscribe(self, name: str, since: Position | None) -> None:
        topic = parse(name)
        if name not in self._topics and len(self._topics) >= self._settings.topics_per_connection:
            raise TooManyTopics
        caller = self._connection.caller
        await self._admission.admit(caller, topic)
        self.unsubscribe(name, silent=True)
        subscription = Subscription(name, self._connection, sight(caller, topic))
        await self._hub.join(topic.channel(caller.tenant), subscription, since)
        self._topics[name] = (topic, subscription)

    def unsubscribe(self, name: str, *, silent: bool = False) -> None:
        """Ends a topic; one that the client does not have is ended already."""
        topic, subscription = self._topics.pop(name, (None, None))
        self._connection.subscriptions.pop(name, None)
        if topic is not None and subscription is not None:
            self._hub.leave(topic.channel(self._connection.caller.tenant), subscription)
        if not silent:
            self._connection.tell("unsubscribed", topic=name)

    def end(self) -> None:
        """Ends all topics."""
        for name in tuple(self._topics):
            self.unsubscribe(name, silent=True)


class _Said:
    """A message of a client. Raises MalformedMessage."""

    def __init__(self, text: str | bytes) -> None:
        try:
            raw: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise MalformedMessage from None
        if not isinstance(raw, dict) or not raw or not raw.keys() <= _KNOWN:
            raise MalformedMessage
        self.subscribe = _names(raw.get("subscribe", []))
        self.unsubscribe = _names(raw.get("unsubscribe", []))
        since = raw.get("since", {})
        if not isinstance(since, dict) or not since.keys() <= set(self.subscribe):
            raise MalformedMessage
        self.since = {name: _position(place) for name, place in since.items()}
        self.ping = raw.get("ping")
        if self.ping is not None and not (isinstance(self.ping, str) and len(self.ping) <= _LONGEST_PING):
            raise MalformedMessage


def _heard(text: str | bytes) -> _Said | None:
    try:
        return _Said(text)
    except MalformedMessage:
        return None


def _names(raw: object) -> list[str]:
    if not isinstance(raw, list) or not all(isinstance(each, str) and len(each) <= 100 for each in raw):  # noqa: PLR2004
        raise MalformedMessage
    return list(dict.fromkeys(raw))


def _position(raw: object) -> Position:
    if not isinstance(raw, Mapping) or raw.keys() != {"epoch", "offset"}:
        raise MalformedMessage
    return position(raw["epoch"], raw["offset"])


def position(epoch: object, offset: object) -> Position:
    """A place that a client has. Raises MalformedMessage."""
    whole = isinstance(offset, int) and not isinstance(offset, bool)
    if not isinstance(epoch, str) or not 0 < len(epoch) <= _LONGEST_EPOCH or not epoch.isalnum():
        raise MalformedMessage
    if not whole or not 0 <= offset < _LARGEST_OFFSET:  # type: ignore[operator]
        raise MalformedMessage
    return Position(epoch, offset)  # type: ignore[arg-type]
