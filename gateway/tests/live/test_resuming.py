"""Exactly once and in order, or word that something is lost: whatever comes and goes."""

from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.live.room import Room, Subscription
from gateway.live.store import PREFIX, Entry, Position, Reading
from testkit import eventually

from .hubs import HISTORY, Reader, everything, hub, told


def in_order_and_once(read: list[str], published: list[str]) -> None:
    """Between two words of loss nothing is missing, doubled or out of order."""
    position = 0
    may_skip = True
    for each in read:
        if each == "?":
            may_skip = True
            continue
        found = published.index(each)
        assert found >= position if may_skip else found == position, (read, published)
        position, may_skip = found + 1, False


steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 5)),
        st.tuples(st.just("again"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["leave", "come", "flush"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_whatever_comes_and_goes_every_message_is_read_once_or_told_lost(
    redis_url: str, steps: list[tuple[str, int]]
) -> None:
    channel = f"{uuid4()}/feed"
    reader, published = Reader(), list[str]()
    subscription: Subscription | None = None
    async with hub(redis_url) as (opened, store, redis):

        async def come() -> Subscription:
            joined = Subscription("feed", reader, everything)
            await opened.join(channel, joined, reader.place)
            return joined

        subscription = await come()
        for step, count in steps:
            if step == "publish":
                new = [f"e{len(published) + number}" for number in range(count)]
                published += new
                await store.publish([told(channel, each) for each in new])
            elif step == "again":
                await store.publish([told(channel, each) for each in published[-count:]])
            elif step == "leave" and subscription is not None:
                opened.leave(channel, subscription)
                subscription = None
            elif step == "come" and subscription is None:
                subscription = await come()
            elif step == "flush":
                await redis.delete(
                    *(f"{PREFIX}{{{channel}}}:{part}" for part in ("state", "history", "events"))
                )
        if subscription is None:
            subscription = await come()
        published.append("last")
        await store.publish([told(channel, "last")])
        await eventually(lambda: reader.read[-1:] in (["last"], ["?"]) and at_end(reader, published))
    # The events of a topic that was flushed may be told again: they count by where they stand last.
    if not any(step == "flush" for step, _ in steps):
        in_order_and_once(reader.read, published)


def at_end(reader: Reader, published: list[str]) -> bool:
    return "last" in reader.read or reader.read[-1] == "?"


async def test_a_history_that_reaches_back_is_given_whole_and_another_one_is_told(redis_url: str) -> None:
    channel = f"{uuid4()}/feed"
    async with hub(redis_url) as (opened, store, _):
        first = Reader()
        await opened.join(channel, subscription := Subscription("feed", first, everything), None)
        start = first.place
        opened.leave(channel, subscription)
        await store.publish([told(channel, f"e{number}") for number in range(HISTORY)])
        back = Reader(place=start)
        await opened.join(channel, Subscription("feed", back, everything), start)
        assert (back.read, back.refetched) == ([f"e{number}" for number in range(HISTORY)], 0)
        await store.publish([told(channel, "one too many")])
        late = Reader(place=start)
        await opened.join(channel, Subscription("feed", late, everything), start)
        assert late.read == ["?"]
        assert late.place
        assert late.place.offset == HISTORY + 1
        for wrong in (Position("otherepoch", 3), Position(late.place.epoch, 99)):
            reader = Reader()
            await opened.join(channel, Subscription("feed", reader, everything), wrong)
            assert (reader.read, reader.place) == (["?"], late.place)


async def test_an_event_that_is_told_again_is_heard_once(redis_url: str) -> None:
    channel, reader = f"{uuid4()}/feed", Reader()
    async with hub(redis_url) as (opened, store, _):
        await opened.join(channel, Subscription("feed", reader, everything), None)
        assert await store.publish([told(channel, "a"), told(channel, "b"), told(channel, "a")]) == 2
        assert await store.publish([told(channel, "a"), told(channel, "b"), told(channel, "c")]) == 1
        await eventually(lambda: reader.read == ["?", "a", "b", "c"])


async def test_what_redis_forgot_to_say_is_read_by_itself(redis_url: str) -> None:
    """A message that nobody told: as when the connection for telling breaks off without a word."""
    channel, reader = f"{uuid4()}/feed", Reader()
    async with hub(redis_url) as (opened, _, redis):
        await opened.join(channel, Subscription("feed", reader, everything), None)
        key = f"{PREFIX}{{{channel}}}"
        await redis.hset(f"{key}:state", "offset", 1)
        await redis.xadd(f"{key}:history", {"p": b'bookings.read  {"type":"t","n":"silent"}'}, id="1-0")
        await eventually(lambda: reader.read == ["?", "silent"])


async def test_a_redis_that_went_back_in_time_begins_a_new_epoch(redis_url: str) -> None:
    channel, reader = f"{uuid4()}/feed", Reader()
    async with hub(redis_url) as (opened, store, redis):
        await opened.join(channel, Subscription("feed", reader, everything), None)
        await store.publish([told(channel, each) for each in "abc"])
        await eventually(lambda: reader.read == ["?", "a", "b", "c"])
        place = reader.place
        await redis.hset(f"{PREFIX}{{{channel}}}:state", "offset", 1)
        await eventually(lambda: reader.refetched == 2)
        assert place
        assert reader.place
        assert (reader.place.epoch != place.epoch, reader.place.offset) == (True, 0)


def entry(offset: int) -> Entry:
    return Entry(Position("e", offset), "", "", f'{{"n":"{offset}"}}')


@given(
    missed=st.integers(0, 6),
    before=st.integers(0, 6),
    after=st.integers(0, 6),
    doubled=st.booleans(),
)
def test_catching_up_meets_what_comes_meanwhile(
    missed: int, before: int, after: int, *, doubled: bool
) -> None:
    """History is read while new entries come: `before` of them are in it already, `after` are not."""
    room, reader = Room("o/feed"), Reader()
    room.catch_up(Reading(Position("e", missed), complete=False))
    subscription = Subscription("feed", reader, everything)
    room.subscriptions.add(subscription)
    for offset in range(missed + 1, missed + before + 1):
        room.hear(entry(offset))
        if doubled:
            room.hear(entry(offset))
    history = tuple(entry(offset) for offset in range(1, missed + before + 1))
    for offset in range(missed + before + 1, missed + before + after + 1):
        room.hear(entry(offset))
    reading = Reading(Position("e", missed + before), complete=True, entries=history)
    room.admit(subscription, Position("e", 0), reading)
    assert reader.read == [str(offset) for offset in range(1, missed + before + after + 1)]


def test_a_gap_is_noticed_and_filled() -> None:
    room, reader = Room("o/feed"), Reader()
    room.catch_up(Reading(Position("e", 0), complete=False))
    subscription = Subscription("feed", reader, everything)
    room.subscriptions.add(subscription)
    room.admit(subscription, Position("e", 0), None)
    room.hear(entry(1))
    room.hear(entry(3))
    assert (room.behind, reader.read) == (True, ["1"])
    room.reading = True
    room.hear(entry(4))
    room.catch_up(Reading(Position("e", 3), complete=True, entries=(entry(2), entry(3))))
    room.reading = False
    assert (room.behind, reader.read) == (True, ["1", "2", "3"])
    room.catch_up(Reading(Position("e", 4), complete=True, entries=(entry(4),)))
    assert (room.behind, reader.read) == (False, ["1", "2", "3", "4"])


def test_what_is_lost_while_catching_up_is_told() -> None:
    room, reader = Room("o/feed"), Reader()
    room.catch_up(Reading(Position("e", 5), complete=False))
    subscription = Subscription("feed", reader, everything)
    room.subscriptions.add(subscription)
    room.catch_up(Reading(Position("e", 90), complete=False))
    room.admit(subscription, Position("e", 4), Reading(Position("e", 5), complete=True, entries=(entry(5),)))
    assert (reader.read, reader.place) == (["?"], Position("e", 90))
