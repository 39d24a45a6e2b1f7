"""What cannot be read, and defects: neither ends other people's streams, nor the revocation of any."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.message import Message
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from gateway.api_keys import ApiKeys
from gateway.background import keep_running, run_beside
from gateway.callers import Callers
from gateway.dispatch import Table
from gateway.edge import Edge
from gateway.limits import Limiter, RateSettings
from gateway.limits.buckets import Buckets
from gateway.live.admission import Admission, sight
from gateway.live.hub import Hub
from gateway.live.publishing import Telling
from gateway.live.room import Subscription
from gateway.live.settings import LiveSettings
from gateway.live.store import PREFIX, Entry, Position, Store, client
from gateway.live.streams import Streams
from gateway.live.tickets import Authority, Tickets
from gateway.live.topics import Topic, TopicKind
from gateway.quotas import DailyQuotas
from gateway.revocations import Revocations
from gateway.signing_keys import SigningKeys
from gateway.tokens import AccessTokens
from servicekit import ids
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller, CallerKind
from servicekit.settings import RedisSettings
from testkit import eventually

from .conftest import House, Served, confirmed

FEED = Topic(TopicKind.FEED)


class Defect(Exception):
    """Something that nobody has thought of."""


async def test_work_that_a_defect_ends_is_begun_again_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    begun = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise Defect
        if begun == 2:
            raise asyncio.CancelledError  # as what it waits for may
        again.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(keep_running("odd_work", work, pause_seconds=0))
    async with asyncio.timeout(20):
        await again.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    told = capsys.readouterr().out
    assert told.count("background_work_failed") == 2
    assert "odd_work" in told
    assert "Defect" in told


async def test_work_is_ended_with_the_gateway() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with AsyncExitStack() as stack:
        run_beside("work", work, stack)
        await begun.wait()
    assert ended.is_set()


class StumblingPubSub(PubSub):
    """A subscription that raises what nobody expects, when it is told to."""

    stumbles = False

    async def get_message(self, *arguments: Any, **options: Any) -> Any:
        message = await super().get_message(*arguments, **options)
        if StumblingPubSub.stumbles:
            StumblingPubSub.stumbles = False
            raise Defect
        return message


class StumblingRedis(Redis):
    def pubsub(self, **options: Any) -> PubSub:
        return StumblingPubSub(self.connection_pool, **options)


@dataclass
class Wire:
    """A WebSocket without a socket."""

    edge: Edge
    _said: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    _heard: asyncio.Queue[MutableMapping[str, Any]] = field(default_factory=asyncio.Queue)

    async def serve(self, ticket: str) -> None:
        """Opens the stream and serves it to its end."""
        scope = {
            "type": "websocket",
            "path": "/v1/stream",
            "raw_path": b"/v1/stream",
            "query_string": f"ticket={ticket}".encode(),
            "headers": [],
            "client": ("192.0.2.7", 4711),
        }
        self._said.put_nowait({"type": "websocket.connect"})
        await self.edge(scope, self._said.get, self._send)

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self._heard.put_nowait(message)

    def listen(self, topic: str) -> None:
        self._said.put_nowait({"type": "websocket.receive", "text": json.dumps({"subscribe": [topic]})})

    async def hear(self) -> MutableMapping[str, Any]:
        """What is sent next; of a message its content."""
        async with asyncio.timeout(20):
            sent = await self._heard.get()
        said: MutableMapping[str, Any] = json.loads(sent["text"]) if "text" in sent else sent
        return said


@dataclass
class Stage:
    """A gateway's streams on a Redis that stumbles."""

    edge: Edge
    redis: Redis
    revoked: set[UUID]
    revocations: Revocations

    async def ticket(self, member: Caller) -> str:
        return (await Tickets(self.redis, seconds=30).issue(Authority(member, 1e12)))[0]


@pytest.fixture
async def stage(redis_url: str) -> AsyncIterator[Stage]:
    revoked = set[UUID]()

    async def revocations_of(_since: float | None) -> tuple[set[UUID], float]:
        return revoked, 0.0

    async def no_keys() -> str:
        return '{"keys":[]}'

    async def exchange(_key: str) -> Any:
        raise Unauthenticated

    async def ask(_path: str, _wish: Message, _caller: Caller) -> None:
        return None

    async def tell(_caller: Caller, _about: str) -> None:
        return None

    settings = RedisSettings.model_validate({"url": redis_url})
    redis = StumblingRedis.from_url(redis_url)
    revocations, quotas = Revocations(revocations_of), DailyQuotas(settings)
    limiter = Limiter(RateSettings(), Buckets(RedisSettings()))
    tokens, keys = AccessTokens(SigningKeys(no_keys), revocations), ApiKeys(exchange, revocations, quotas)
    streams = Streams(
        LiveSettings(check_seconds=1),
        redis,
        callers=Callers(tokens, keys, limiter),
        limiter=limiter,
        revocations=revocations,
        admission=Admission(ask, tell),
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        for name, work in streams.background():
            run_beside(name, work, stack)
        yield Stage(Edge(Table(), streaming=streams), redis, revoked, revocations)
    await quotas.close()


async def test_a_defect_of_the_hub_ends_neither_delivery_nor_revocation(
    stage: Stage, house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    permissions = frozenset({"bookings.read"})
    member = Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=house.organization,
        user=ids.new(),
        session=ids.new(),
        permissions=permissions,
    )
    assert member.session
    telling = Telling(Store(stage.redis, LiveSettings()))
    wire = Wire(stage.edge)
    serving = asyncio.create_task(wire.serve(await stage.ticket(member)))
    assert (await wire.hear())["type"] == "websocket.accept"
    wire.listen("feed")
    assert (await wire.hear())["control"] == "subscribed"
    await telling([confirmed(house)])
    assert (await wire.hear())["offset"] == 1
    StumblingPubSub.stumbles = True
    await telling([confirmed(house)])
    await eventually(lambda: not StumblingPubSub.stumbles)
    await telling([confirmed(house)])
    assert [(await wire.hear())["offset"] for _ in range(2)] == [2, 3]
    assert "background_work_failed" in capsys.readouterr().out
    stage.revoked.add(member.session)
    await stage.revocations.refresh()
    assert (await wire.hear())["reason"] == "UNAUTHENTICATED"
    assert (await wire.hear())["code"] == 4001
    await serving


async def test_what_is_about_no_known_venue_is_seen_by_nobody_who_keeps_to_some(
    served: Served, house: House, publish: Any, backend: Any
) -> None:
    session = ids.new()
    rights = {"ven": [str(house.venue_id)], "sid": str(session)}
    async with served.listener(house, **rights) as limited, served.listener(house) as another:
        for each in (limited, another):
            await each.listen("feed")
        await publish(confirmed(house, venue="chez-paulette"), confirmed(house))
        assert (await limited.hear())["offset"] == 2
        assert [(await another.hear())["offset"] for _ in range(2)] == [1, 2]
        backend.revoked = {session}
        assert await limited.closed() == (4001, "UNAUTHENTICATED")
        await another.silent()


@pytest.mark.parametrize("venue", ["chez-paulette", "ven_", "ven_é", "ven_zzzzzzzzzzzzzzzzzzzzzzzzzz", " "])
def test_a_venue_that_is_no_id_is_none(venue: str) -> None:
    permissions = frozenset({"bookings.read"})
    everywhere = Caller(CallerKind.MEMBER, "gateway", organization=uuid4(), permissions=permissions)
    somewhere = Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=uuid4(),
        permissions=permissions,
        venues=frozenset({uuid4()}),
    )
    entry = Entry(Position("a", 1), "bookings.read", venue, "{}")
    assert sight(everywhere, FEED)(entry)
    assert not sight(somewhere, FEED)(entry)


class Reader:
    """Counts what it reads."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.lost = 0

    def deliver(self, _subscription: Subscription, entry: Entry) -> None:
        self.read.append(entry.position.offset)

    def tell_place(self, _subscription: Subscription, *, recovered: bool) -> None:
        self.lost += not recovered


async def test_an_entry_that_cannot_be_read_is_left_out(redis_url: str, house: House) -> None:
    """Those before and after it are told, at once and from the history."""
    redis = client(RedisSettings.model_validate({"url": redis_url}))
    assert redis
    channel = FEED.channel(house.organization)
    store = Store(redis, LiveSettings())
    telling = Telling(store)
    opened = Hub(redis, store, check_seconds=1)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        run_beside("hub", opened.run, stack)
        there, later = Reader(), Reader()
        await opened.join(channel, Subscription("feed", there, lambda _: True), None)
        await telling([confirmed(house)])
        await eventually(lambda: there.read == [1])
        begun = await store.read(channel, None)
        await break_one(redis, channel, begun.position.epoch)
        await telling([confirmed(house)])
        await eventually(lambda: there.read == [1, 3])
        since = Position(begun.position.epoch, 0)
        await opened.join(channel, Subscription("feed", later, lambda _: True), since)
        assert later.read == [1, 3]
        assert (there.lost, later.lost) == (1, 0)  # the first began with nothing
        await break_one(redis, channel, begun.position.epoch)  # now it is the newest
        await opened.join(channel, Subscription("feed", later, lambda _: True), since)
        await telling([confirmed(house)])
        await eventually(lambda: there.read == [1, 3, 5])


async def break_one(redis: Redis, channel: str, epoch: str) -> None:
    """Writes and tells an entry that is none."""
    offset = await redis.hincrby(f"{PREFIX}{{{channel}}}:state", "offset", 1)
    await redis.xadd(f"{PREFIX}{{{channel}}}:history", {"p": b"\xff"}, id=f"{offset}-0")
    await redis.publish(PREFIX + channel, f"{epoch} {offset} ".encode() + b"\xff")
