"""Answers that are kept at the edge, on a real Valkey: true, for everybody, and nobody's secret."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2, events_pb2, venue_pb2
from gateway.cache.tags import BEAT
from gateway.settings import Settings
from servicekit.errors import Busy
from testkit import eventually
from testkit.keys import Keys

from .conftest import AccessTokens
from .kept_answers import OTHER, VENUE, Scene, notes, scene, status

DAY, NEXT_WEEK = "2027-10-31", "2027-11-07"
HIT = "comptoir; hit"
STORED = "comptoir; fwd=miss; stored"
STALE = "comptoir; fwd=stale; stored"
BYPASS = "comptoir; fwd=bypass"


@pytest.fixture
async def kept(settings: Settings, keys: Keys, redis_url: str) -> AsyncIterator[Scene]:
    async with scene(settings, keys, redis_url) as opened:
        await eventually(lambda: early_in_a_minute(opened))
        yield opened


async def early_in_a_minute(kept: Scene) -> bool:
    """No answer is kept past a whole minute: no test may run into one."""
    seconds, _ = await kept.redis.time()
    return 5 <= seconds % 60 < 45


def booked(day: str = DAY, venue: str = VENUE) -> events_pb2.BookingConfirmed:
    return events_pb2.BookingConfirmed(
        booking=events_pb2.BookingSnapshot(booking_id="bkg_1", venue_id=venue, service_date=day)
    )


async def test_the_second_to_ask_gets_the_answer_of_the_first(kept: Scene) -> None:
    first, second = await kept.search(), await kept.search()
    assert (status(first), status(second)) == (STORED, HIT)
    assert first.content == second.content
    assert len(kept.booking.asked) == 1
    assert first.headers["cache-control"] == second.headers["cache-control"]


async def test_head_is_answered_like_get(kept: Scene) -> None:
    await kept.search()
    answer = await kept.client.head(f"/v1/venues/{VENUE}/availability?date={DAY}&party_size=2")
    assert (answer.status_code, status(answer), answer.content) == (200, HIT, b"")


async def test_every_gateway_gets_what_another_one_has_kept(
    kept: Scene, settings: Settings, keys: Keys, redis_url: str
) -> None:
    first = await kept.search()
    names = [name async for name in kept.redis.scan_iter("edge:answer:*")]
    content = {name: await kept.redis.hgetall(name) for name in names}
    tags = {name: await kept.redis.get(name) async for name in kept.redis.scan_iter("edge:tag:*")}
    async with scene(settings, keys, redis_url) as other:  # begins with an empty Redis
        for name, fields in content.items():
            await other.redis.hset(name, mapping=fields)
        for name, value in tags.items():
            await other.redis.set(name, value)
        second = await other.search()
        assert (status(second), second.content) == (HIT, first.content)
        assert other.booking.asked == []


async def test_a_booking_ends_the_answers_of_its_day_and_of_no_other(kept: Scene) -> None:
    for day in (DAY, NEXT_WEEK):
        await kept.search(day=day)
    await kept.search(venue=OTHER)
    await kept.happens(booked())
    again, elsewhere = await kept.search(), await kept.search(venue=OTHER)
    later = await kept.search(day=NEXT_WEEK)
    assert (status(again), status(later), status(elsewhere)) == (STALE, HIT, HIT)
    assert notes(again)[1] == "answer 4"
    assert status(await kept.search()) == HIT


async def test_a_change_of_the_venue_ends_all_its_answers(kept: Scene) -> None:
    paths = [
        f"/v1/venues/{VENUE}",
        f"/v1/venues/{VENUE}/availability?date={DAY}&party_size=2",
        f"/v1/venues/{VENUE}/availability/calendar?from={DAY}&to={NEXT_WEEK}&party_size=2",
    ]
    for expected in (STORED, HIT):
        assert {status(await kept.client.get(path)) for path in paths} == {expected}
    for change in (
        events_pb2.VenueChanged(venue=venue_pb2.Venue(id=VENUE)),
        events_pb2.VenueCapacityChanged(venue_id=VENUE),
        events_pb2.ResourcesBlocked(venue_id=VENUE),
    ):
        await kept.happens(change)
        assert {status(await kept.client.get(path)) for path in paths} == {STALE}
    assert {status(await kept.client.get(path)) for path in paths} == {HIT}


async def test_any_booking_ends_calendars_and_none_ends_the_venue(kept: Scene) -> None:
    calendar = f"/v1/venues/{VENUE}/availability/calendar?from={DAY}&to={NEXT_WEEK}&party_size=2"
    for path in (calendar, f"/v1/venues/{VENUE}"):
        await kept.client.get(path)
    await kept.happens(booked("2027-12-24"))
    assert status(await kept.client.get(calendar)) == STALE
    assert status(await kept.client.get(f"/v1/venues/{VENUE}")) == HIT


async def test_an_answer_that_an_event_overtook_is_served_to_nobody_after_it(kept: Scene) -> None:
    """The service reads, a booking is made, its event arrives, and only then is the answer kept."""
    kept.booking.gate = asyncio.Event()
    slow = asyncio.ensure_future(kept.search())
    await eventually(lambda: kept.booking.asked)
    await kept.happens(booked())
    later = asyncio.ensure_future(kept.search())  # asks after the event: must not wait for the one before
    await eventually(lambda: len(kept.booking.asked) == 2)
    kept.booking.gate.set()
    assert [notes(each)[1] for each in (await slow, await later)] == ["answer 1", "answer 2"]
    kept.booking.gate = None
    after = await kept.search()
    assert notes(after)[1] in {"answer 2", "answer 3"}
    assert status(after) in {HIT, STALE}


async def test_an_event_that_comes_while_the_answer_is_kept_ends_it_too(kept: Scene) -> None:
    """The same with nobody else asking: what is in Redis afterwards does not count."""
    kept.booking.gate = asyncio.Event()
    slow = asyncio.ensure_future(kept.search())
    await eventually(lambda: kept.booking.asked)
    await kept.happens(booked())
    kept.booking.gate.set()
    assert status(await slow) == STORED
    assert status(await kept.search()) == STALE


async def test_many_who_ask_at_once_are_one_question(kept: Scene) -> None:
    kept.booking.gate = asyncio.Event()
    await kept.redis.config_resetstat()
    asking = [asyncio.ensure_future(kept.search()) for _ in range(20)]
    await eventually(lambda: kept.booking.asked)
    await eventually(lambda: looked(kept, times=20))
    kept.booking.gate.set()
    answers = await asyncio.gather(*asking)
    assert len(kept.booking.asked) == 1
    assert len({each.content for each in answers}) == 1
    assert sorted(map(status, answers)) == [STORED] + [f"{STORED}; collapsed"] * 19


async def looked(kept: Scene, *, times: int) -> bool:
    """Whether so many have looked into Redis since its counts were set back."""
    counts = await kept.redis.info("commandstats")
    return int(counts.get("cmdstat_evalsha", {"calls": 0})["calls"]) >= times


async def test_whoever_asked_first_may_leave(kept: Scene) -> None:
    kept.booking.gate = asyncio.Event()
    first = asyncio.ensure_future(kept.search())
    await eventually(lambda: kept.booking.asked)
    second = asyncio.ensure_future(kept.search())
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    kept.booking.gate.set()
    assert notes(await second)[1] == "answer 1"


async def test_a_refusal_is_kept_by_nobody(kept: Scene) -> None:
    kept.booking.refusal = Busy()
    path = f"/v1/venues/{VENUE}/availability?date={DAY}&party_size=2"
    refused = await kept.client.get(path)
    assert refused.status_code == 409
    assert "cache-status" not in refused.headers
    kept.booking.refusal = None
    assert status(await kept.search()) == STORED


async def test_a_very_large_answer_is_not_kept(kept: Scene) -> None:
    kept.booking.size = 300_000
    assert [status(await kept.search()) for _ in range(2)] == ["comptoir; fwd=miss"] * 2


async def test_a_member_neither_gets_nor_makes_what_is_kept(kept: Scene, access: AccessTokens) -> None:
    """Staff search as staff: they see tables that are not on sale."""
    staff = access.bearer()
    assert [status(await kept.search(headers=staff)) for _ in range(2)] == [BYPASS] * 2
    assert status(await kept.search()) == STORED
    assert status(await kept.search(headers=staff)) == BYPASS
    assert len(kept.booking.asked) == 4


async def test_a_wrong_token_is_refused_whatever_is_kept(kept: Scene) -> None:
    await kept.search()
    path = f"/v1/venues/{VENUE}/availability?date={DAY}&party_size=2"
    assert (await kept.client.get(path, headers={"Authorization": "Bearer nonsense"})).status_code == 401


async def test_a_venue_by_its_slug_is_forgotten_with_it(kept: Scene) -> None:
    assert [status(await kept.search("chez-paulette")) for _ in range(2)] == [STORED, HIT]
    await kept.happens(booked())
    assert status(await kept.search("chez-paulette")) == STALE
    assert status(await kept.search("elsewhere")) == STORED


async def test_a_slug_that_nobody_has_is_the_services_to_refuse(kept: Scene) -> None:
    answer = await kept.client.get("/v1/venues/nobodys")
    assert answer.status_code == 404
    assert not [name async for name in kept.redis.scan_iter("edge:*") if name != BEAT.encode()]


async def test_while_nobody_follows_an_answer_counts_for_two_seconds(kept: Scene) -> None:
    await kept.search()
    await kept.redis.delete(BEAT)
    assert status(await kept.search()) == HIT
    await age(kept, 3_000)
    assert status(await kept.search()) == STALE
    await age(kept, 3_000)
    await kept.beats()
    assert status(await kept.search()) == HIT
    await age(kept, 11_000)
    assert status(await kept.search()) == STALE


async def test_nothing_is_kept_past_a_whole_minute(kept: Scene) -> None:
    """Rules of time are said in minutes, and when one begins to count no event tells."""
    path = f"/v1/venues/{VENUE}"  # kept for a minute, else
    await kept.client.get(path)
    seconds, _ = await kept.redis.time()
    (name,) = [each async for each in kept.redis.scan_iter("edge:answer:*")]
    await kept.redis.hset(name, "made", seconds // 60 * 60_000)
    assert status(await kept.client.get(path)) == HIT
    await kept.redis.hset(name, "made", seconds // 60 * 60_000 - 1)
    assert status(await kept.client.get(path)) == STALE


async def age(kept: Scene, milliseconds: int) -> None:
    """Makes the one kept answer as old as that."""
    (name,) = [each async for each in kept.redis.scan_iter("edge:answer:*")]
    seconds, micros = await kept.redis.time()
    await kept.redis.hset(name, "made", seconds * 1000 + micros // 1000 - milliseconds)


async def test_a_name_of_a_tag_that_was_lost_ends_its_answers(kept: Scene) -> None:
    """Redis may drop any key under pressure; a tag never gets a name again that it had."""
    await kept.search()
    for name in [each async for each in kept.redis.scan_iter("edge:tag:*")]:
        await kept.redis.delete(name)
    assert status(await kept.search()) == STALE


async def test_everything_in_redis_ends_by_itself(kept: Scene) -> None:
    await kept.search()
    await kept.search("chez-paulette")
    names = [each async for each in kept.redis.scan_iter("edge:*")]
    assert len(names) >= 5
    assert all([0 < await kept.redis.ttl(name) <= 120 for name in names])


async def test_it_can_be_turned_off(settings: Settings) -> None:
    given = {**settings.model_dump(), "cache": {"enabled": False}, "redis": {"url": "redis://127.0.0.1:1"}}
    off = Settings.model_validate(given)
    assert not off.cache.enabled
    assert Settings.model_validate({**given, "cache": {}}).cache.enabled
    # Whether that is heeded: no header, and so no cache.
    from gateway.app import open_gateway  # noqa: PLC0415  # beside its only use

    async with open_gateway(off, lambda: True) as edge:
        transport = httpx.ASGITransport(app=edge, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            path = f"/v1/venues/{VENUE}/availability?date={DAY}&party_size=2"
            answer = await client.get(path)
    assert "cache-status" not in answer.headers


def test_the_test_asks_what_searches_ask() -> None:
    assert {"venue_id", "date"} <= set(booking_pb2.SearchAvailabilityRequest.DESCRIPTOR.fields_by_name)
