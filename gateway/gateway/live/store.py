"""Topics in Redis: a counter with an epoch, a capped history, each event once. Knows no connection."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.live import scripts
from gateway.live.facts import Told
from gateway.live.settings import LiveSettings
from gateway.live.topics import name_of
from servicekit import telemetry
from servicekit.errors import Unavailable
from servicekit.settings import RedisSettings

PREFIX = "gateway:live:"
_STATE_SECONDS = 7 * 86_400
_TIMEOUT_SECONDS = 2.0
_EPOCH_BYTES = 6

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a topic. Offsets of different epochs have nothing to do with each other."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a topic at its place."""

    position: Position
    permission: str
    venue: str
    text: str
    """The JSON that clients get."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a topic has after some place."""

    position: Position
    """The newest place."""
    complete: bool
    """Whether `entries` is everything readable in between; else some is gone, or another epoch began."""
    entries: tuple[Entry, ...] = ()


def client(settings: RedisSettings) -> "Redis | None":
    """A client that fails at once instead of trying again: who uses it knows what to do then."""
    if settings.url is None:
        return None
    return Redis.from_url(
        settings.url.get_secret_value(),
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class Store:
    """The topics. One Lua script each publishes and reads, so that nobody ever sees half of it."""

    def __init__(self, redis: "Redis | None", settings: LiveSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._publish = _Script(scripts.PUBLISH)
        self._read = _Script(scripts.READ)

    async def publish(self, batch: Sequence[Told]) -> int:
        """Adds a batch in its order, over one round trip; how many of it were new.

        After a failure the same batch may be published again: what is there already is not told twice.

        Raises:
            Unavailable: Redis did not take all of it.
        """
        if not batch:
            return 0
        settings = self._settings
        kept = (settings.history_messages, settings.history_seconds, _STATE_SECONDS)
        calls = [
            (_keys(each.channel), (_new_epoch(), each.event, _packed(each), *kept, PREFIX + each.channel))
            for each in batch
        ]
        offsets = await self._run(self._publish, calls)
        return sum(offset > 0 for offset in offsets)

    async def read(self, channel: str, since: Position | None, *, trusted: bool = False) -> Reading:
        """What the topic has after `since`. It begins to exist when it does not.

        An entry that cannot be read is left out, and logged: it would not be readable later, either.

        `trusted`: the place is one that this gateway has seen itself.

        Raises:
            Unavailable: Redis does not answer.
        """
        place = since or Position("", 0)
        arguments = (_new_epoch(), place.epoch, place.offset, int(trusted), _STATE_SECONDS)
        epoch, offset, complete, raw = (await self._run(self._read, [(_keys(channel), arguments)]))[0]
        shown = epoch.decode()
        read = (_entry_or_none(channel, shown, key, fields) for key, fields in raw)
        entries = tuple(each for each in read if each is not None)
        return Reading(Position(shown, offset), bool(complete), entries)

    async def _run(self, script: "_Script", calls: Sequence["_Call"]) -> list[Any]:
        if self._redis is None:
            raise Unavailable
        try:
            try:
                return await self._send(self._redis, script, calls)
            except NoScriptError:
                # It was restarted: nothing of the batch was done, as no call knew the script.
                await self._redis.script_load(script.text)
                return await self._send(self._redis, script, calls)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("live_store_away", error=type(error).__name__)
            raise Unavailable from error

    async def _send(self, redis: "Redis", script: "_Script", calls: Sequence["_Call"]) -> list[Any]:
        pipeline: Any = redis.pipeline(transaction=False)
        for keys, arguments in calls:
            pipeline.evalsha(script.hash, len(keys), *keys, *arguments)
        answers: list[Any] = await pipeline.execute()
        return answers


_Call = tuple[tuple[str, ...], tuple[Any, ...]]


class _Script:
    def __init__(self, text: str) -> None:
        self.text = text
        self.hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def heard(channel: str, raw: bytes) -> Entry:
    """An entry as publishing tells it. Raises ValueError for anything else."""
    epoch, offset, packed = raw.split(b" ", 2)
    return entry(channel, Position(epoch.decode(), int(offset)), packed)


def entry(channel: str, position: Position, packed: bytes) -> Entry:
    """An entry as it is kept. Raises ValueError for anything else."""
    permission, venue, body = packed.decode().split(" ", 2)
    place = f'{{"topic":"{name_of(channel)}","epoch":"{position.epoch}","offset":{position.offset},'
    return Entry(position, permission, venue, place + body.removeprefix("{"))


def _entry_or_none(channel: str, epoch: str, key: bytes, fields: Sequence[bytes]) -> Entry | None:
    """An entry as the history has it; None, and a line in the log, for what is none."""
    try:
        return entry(channel, Position(epoch, int(key.partition(b"-")[0])), fields[1])
    except ValueError:
        _log.warning("live_entry_not_understood", topic=name_of(channel), entry=key.decode("latin-1"))
        return None


def _packed(told: Told) -> bytes:
    return f"{told.permission} {told.venue} ".encode() + told.body


def _keys(channel: str) -> tuple[str, ...]:
    """The keys of a topic, in one slot of a cluster."""
    return tuple(f"{PREFIX}{{{channel}}}:{part}" for part in ("state", "history", "events"))


def _new_epoch() -> str:
    return secrets.token_hex(_EPOCH_BYTES)
