"""All topics of this process over one connection to Redis. What gets lost on the way is read again."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.live.room import Room, Subscription
from gateway.live.store import PREFIX, Position, Store, heard
from servicekit import telemetry
from servicekit.errors import Unavailable

_ALIVE = PREFIX + "(alive)"
_QUIET_SECONDS = 5.0
_RECONNECT_SECONDS = 0.5
_JOIN_SECONDS = 2.0
_TICK_SECONDS = 1.0

_log = telemetry.logger(__name__)


class Hub:
    """The rooms that somebody here listens to.

    Every entry of a room reaches its subscriptions once and in order, or they are told that some were lost.
    That holds while Redis is away, restarted or emptied: the place in each topic is compared again after
    every reconnect, and now and then in between.
    """

    def __init__(
        self,
        redis: "Redis | None",
        store: Store,
        *,
        check_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._store = store
        self._check_seconds = check_seconds
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._joined: dict[str, asyncio.Event] = {}
        self._pubsub: Any = None
        self._speaking = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, channel: str, subscription: Subscription, since: Position | None) -> None:
        """Lets a subscription take part in a topic, from now or from `since`. One that fails leaves nothing.

        Raises:
            Unavailable: Redis is away, and is needed for this.
        """
        room = self._room(channel)
        with ExitStack() as undo:
            room.subscriptions.add(subscription)  # from now on nobody leaves the room for being empty
            undo.callback(room.subscriptions.discard, subscription)
            if room.position is None:
                await self._place_known(channel)
            reading = None
            if since is not None and since != room.position:
                reading = await self._store.read(channel, since)
            room.admit(subscription, since, reading)
            undo.pop_all()

    def leave(self, channel: str, subscription: Subscription) -> None:
        """Ends a subscription."""
        room = self._rooms.get(channel)
        if room is not None:
            room.subscriptions.discard(subscription)

    async def run(self) -> None:
        """Listens to Redis and keeps the rooms true. Ends by being cancelled."""
        if self._redis is None:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_listening(self._redis))
            group.create_task(self._keep_true())

    def _room(self, channel: str) -> Room:
        room = self._rooms.get(channel)
        if room is None:
            room = self._rooms[channel] = Room(channel)
            self._joined[channel] = asyncio.Event()
            # In a task of its own: whoever came first may leave before it is said, and others stay.
            self._begin(self._speak("subscribe", channel))
        return room

    async def _place_known(self, channel: str) -> None:
        """Returns when somebody listens to the topic, and Redis was asked for its place after that."""
        try:
            async with asyncio.timeout(_JOIN_SECONDS):
                await self._joined[channel].wait()
        except TimeoutError:
            raise Unavailable from None

    async def _speak(self, command: str, *channels: str) -> None:
        """Says something to Redis while it is there; a new connection says all that is needed by itself."""
        async with self._speaking:
            if self._pubsub is None or not channels:
                return
            try:
                await getattr(self._pubsub, command)(*(PREFIX + each for each in channels))
            # RuntimeError: it was closed meanwhile.
            except (RedisError, OSError, TimeoutError, RuntimeError):
                self._pubsub = None  # who listens on it begins anew

    async def _keep_listening(self, redis: "Redis") -> None:
        while True:
            try:
                await self._listen(redis)
            # RuntimeError: it was closed meanwhile.
            except (RedisError, OSError, TimeoutError, RuntimeError) as error:
                _log.warning("live_connection_lost", error=type(error).__name__)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self, redis: "Redis") -> None:
        pubsub: Any = redis.pubsub()
        try:
            await pubsub.subscribe(_ALIVE)
            self._pubsub = pubsub
            await self._speak("subscribe", *self._rooms)
            asked = False
            while self._pubsub is pubsub:
                message = await pubsub.get_message(timeout=_QUIET_SECONDS)
                if message is not None:
                    asked = False
                    self._hear(message)
                elif asked:
                    raise TimeoutError
                else:
                    asked = True
                    await pubsub.ping()
        finally:
            self._pubsub = None
            await pubsub.aclose()

    def _hear(self, message: dict[str, Any]) -> None:
        channel = (message["channel"] or b"").decode().removeprefix(PREFIX)
        room = self._rooms.get(channel)
        if room is None:
            return
        if message["type"] == "subscribe":
            room.doubt()
        elif message["type"] == "message":
            try:
                room.hear(heard(channel, message["data"]))
            except ValueError:
                _log.warning("live_message_not_understood")
                room.doubt()
        if room.behind:
            self._read(room)

    def _read(self, room: Room) -> None:
        """Asks Redis for what the room misses, beside everything else."""
        if room.reading:
            return
        room.reading = True
        self._begin(self._catch_up(room))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Works beside whoever wanted it: their leaving cuts nothing off."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:  # the room is still behind, so the next round tries again
            _log.error("live_hub_failed", error=type(failure).__name__, exc_info=failure)

    async def _catch_up(self, room: Room) -> None:
        try:
            while room.behind:
                reading = await self._store.read(room.channel, room.position, trusted=True)
                room.catch_up(reading)
                room.checked_at = self._clock()
                self._joined[room.channel].set()
        except Unavailable:
            room.behind = True  # the next round tries again
        finally:
            room.reading = False

    async def _keep_true(self) -> None:
        """Reads what could not be read, compares places now and then, and leaves rooms that are empty."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self._pubsub is None:
                continue
            now = self._clock()
            empty = [room for room in self._rooms.values() if not room.subscriptions and not room.reading]
            for room in empty:
                del self._rooms[room.channel], self._joined[room.channel]
            await self._speak("unsubscribe", *(room.channel for room in empty))
            for room in tuple(self._rooms.values()):
                room.behind = room.behind or now - room.checked_at >= self._check_seconds
                if room.behind:
                    self._read(room)
