"""Streams from ticket to message: WebSocket, server-sent events, and who hears what."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.live.errors import TicketNotValid
from gateway.live.store import client
from gateway.live.tickets import Authority, Tickets
from gateway.settings import Settings
from servicekit import ids
from servicekit.identity import Caller, CallerKind
from testkit import eventually

from .conftest import House, Listener, Served, answered, confirmed, paid


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream, as a browser would have them; comments under their own name."""
    found: dict[str, Any] = {"event": "message"}
    async for line in answer.aiter_lines():
        if not line:
            yield found
            found = {"event": "message"}
            continue
        name, _, value = line.partition(":")
        found[name or "comment"] = json.loads(value) if name == "data" else value.strip()


async def test_a_booking_is_heard_in_the_room_of_its_venue(
    served: Served, house: House, publish: Any
) -> None:
    event = confirmed(house, party_size=4)
    async with served.listener(house) as listener:
        begun = await listener.listen(house.room)
        assert begun == {
            "control": "subscribed",
            "topic": house.room,
            "epoch": begun["epoch"],
            "offset": 0,
            "recovered": False,
        }
        await publish(event)
        heard = await listener.hear()
    booking = heard["data"]["booking"]
    assert (heard["topic"], heard["epoch"], heard["offset"]) == (house.room, begun["epoch"], 1)
    assert (heard["type"], heard["time"]) == ("booking.confirmed", f"{event.time.isoformat()[:-6]}Z")
    assert (booking["status"], booking["party_size"]) == ("confirmed", 4)


async def test_the_same_is_heard_as_server_sent_events_and_resumed_by_the_last_id(
    served: Served, house: House, publish: Any
) -> None:
    headers = served.access.bearer(org=str(house.organization))
    address = f"{served.url}/v1/stream?topics={house.room}&topics=feed"
    async with httpx.AsyncClient(timeout=20) as http:
        async with http.stream("GET", address, headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.headers["cache-control"] == "no-store"
            stream = events(answer)
            assert [(await anext(stream))["event"] for _ in range(2)] == ["subscribed", "subscribed"]
            await publish(confirmed(house))
            heard = [await anext(stream) for _ in range(2)]
            assert {each["data"]["topic"] for each in heard} == {house.room, "feed"}
        await publish(confirmed(house, party_size=9))
        again = headers | {"Last-Event-ID": heard[-1]["id"]}
        async with http.stream("GET", address, headers=again) as answer:
            stream = events(answer)
            came = [(await anext(stream))["data"] for _ in range(4)]
    assert [each["recovered"] for each in came if "control" in each] == [True, True]
    missed = [each["data"]["booking"]["party_size"] for each in came if "control" not in each]
    assert missed == [9, 9]


async def test_a_ticket_opens_one_stream(served: Served, house: House) -> None:
    ticket = await served.ticket(house)
    address = f"{served.url}/v1/stream?topics=feed&ticket={ticket}"
    async with httpx.AsyncClient(timeout=20) as http:
        async with http.stream("GET", address) as answer:
            assert answer.status_code == 200
        refused = await http.get(address)
    assert (refused.status_code, refused.json()["reason"]) == (401, "TICKET_NOT_VALID")


async def test_a_ticket_that_is_too_old_or_invented_opens_nothing(
    live_settings: Settings, house: House
) -> None:
    redis = client(live_settings.redis)
    assert redis
    tickets = Tickets(redis, seconds=1)
    member = Caller(CallerKind.MEMBER, "gateway", organization=house.organization, user=ids.new())
    ticket, _ = await tickets.issue(Authority(member, 1e12))
    again, _ = await tickets.issue(Authority(member, 1e12))
    assert await tickets.redeem(again) == Authority(member, 1e12)
    name = f"gateway:live:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"

    async def over() -> bool:
        return await redis.exists(name) == 0

    assert await eventually(over)
    for each in (ticket, again, "invented", "x" * 100, ""):
        with pytest.raises(TicketNotValid):
            await tickets.redeem(each)
    await redis.aclose()


async def test_a_handshake_is_refused_with_a_problem(served: Served) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with httpx.AsyncClient(base_url=served.url) as http:
        answer = await http.get("/v1/stream?ticket=invented", headers=upgrade)
        assert (answer.status_code, answer.json()["reason"]) == (401, "TICKET_NOT_VALID")
        assert answer.headers["content-type"] == "application/problem+json"
        answer = await http.get("/v1/stream", headers=upgrade)
        assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
        for origin in (
            "https://evil.example",
            served.url,
            "null",
            "http://[",
            "https://[b9B5b]",
            "http://a]b",
        ):
            answer = await http.get("/v1/stream", headers=upgrade | {"Origin": origin})
            assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
            assert answer.headers["x-content-type-options"] == "nosniff"
        answer = await http.get("/healthz", headers=upgrade)
        assert answer.json() == {"status": "alive"}


async def test_an_access_token_in_the_address_is_refused(served: Served, house: House) -> None:
    token = served.access.sign(org=str(house.organization))
    async with httpx.AsyncClient(base_url=served.url) as http:
        answer = await http.get(f"/v1/stream?topics=feed&access_token={token}")
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST")


async def test_who_acts_in_no_organization_gets_no_ticket(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url) as http:
        nobody: dict[str, str] = {}
        for headers in (nobody, served.access.operator()):
            answer = await http.post("/v1/stream/tickets", headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
        answer = await http.get("/v1/stream?topics=feed", headers=served.access.operator())
        assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")


async def refused(listener: Listener, topic: str) -> str:
    answer = await listener.listen(topic)
    assert (answer["control"], answer["topic"]) == ("refused", topic), answer
    return str(answer["reason"])


async def test_nobody_hears_what_they_may_not_read_and_the_stream_goes_on(
    served: Served, house: House, houses: list[House], publish: Any
) -> None:
    houses.append(House())
    other = houses[-1]
    async with served.listener(house, ven=[str(house.venue_id)], scope="bookings.read") as listener:
        assert await refused(listener, other.room) == "VENUE_NOT_FOUND"
        assert await refused(listener, f"venue:{ids.show('ven', ids.new())}") == "VENUE_NOT_FOUND"
        assert await refused(listener, f"ticket:{house.ticket}") == "PERMISSION_DENIED"
        for name in ("venue:", "venue:ven_1", "venue:chez-paulette", "*", "feed:1", f"booking:{house.venue}"):
            assert await refused(listener, name) == "TOPIC_NOT_FOUND"
        assert (await listener.listen(house.room))["control"] == "subscribed"
        await publish(confirmed(other), confirmed(house, party_size=7))
        assert (await listener.hear())["data"]["booking"]["party_size"] == 7
    async with served.listener(house) as listener:  # with all permissions
        assert await refused(listener, other.room) == "VENUE_NOT_FOUND"
        assert await refused(listener, f"ticket:{other.ticket}") == "TICKET_NOT_FOUND"
    async with served.listener(house, scope="venues.read") as listener:
        assert await refused(listener, house.room) == "PERMISSION_DENIED"
        assert await refused(listener, "feed") == "PERMISSION_DENIED"
    async with served.listener(house, ven=[str(ids.new())]) as listener:
        assert await refused(listener, house.room) == "VENUE_NOT_FOUND"
        assert await refused(listener, f"ticket:{house.ticket}") == "PERMISSION_DENIED"


async def test_a_ticket_of_support_has_a_topic(served: Served, house: House, publish: Any) -> None:
    async with served.listener(house) as listener:
        await listener.listen(f"ticket:{house.ticket}")
        await publish(answered(house), confirmed(house))
        heard = await listener.hear()
        assert (heard["type"], heard["data"]["ticket_id"]) == ("ticket.answered", house.ticket)
        await listener.silent()


@pytest.mark.parametrize(
    ("claims", "heard"),
    [
        ({}, ["booking.confirmed", "booking.confirmed", "ticket.answered", "payment.succeeded"]),
        ({"scope": "bookings.read"}, ["booking.confirmed", "booking.confirmed"]),
        ({"scope": "payments.read venues.read"}, ["payment.succeeded"]),
        ({"scope": "bookings.read tickets.read payments.read", "limited": True}, ["booking.confirmed"]),
    ],
)
async def test_the_feed_tells_everybody_what_they_may_read(
    served: Served, house: House, publish: Any, claims: dict[str, Any], heard: list[str]
) -> None:
    rights = dict(claims)
    if rights.pop("limited", False):
        rights["ven"] = [str(house.venue_id)]
    elsewhere = confirmed(house, venue=ids.show("ven", ids.new()))
    async with served.listener(house, **rights) as listener:
        begun = await listener.listen("feed")
        await publish(confirmed(house), elsewhere, answered(house), paid(house))
        came = [(await listener.hear())["type"] for _ in heard]
        assert came == heard
        await listener.silent()
    async with served.listener(house, **rights) as listener:
        again = await listener.listen("feed", {"epoch": begun["epoch"], "offset": 0})
        assert again["recovered"] is True
        assert [(await listener.hear())["type"] for _ in heard] == heard
        await listener.silent()


async def test_who_leaves_a_topic_hears_no_more_of_it(served: Served, house: House, publish: Any) -> None:
    async with served.listener(house) as listener:
        await listener.listen(house.room)
        await listener.say(unsubscribe=[house.room])
        assert await listener.hear() == {"control": "unsubscribed", "topic": house.room}
        await publish(confirmed(house))
        await listener.silent()


@pytest.mark.parametrize(
    "said",
    [
        "nonsense",
        "[]",
        "{}",
        '{"subscribe": "feed"}',
        '{"subscribe": [1]}',
        '{"subscribe": ["feed"], "since": {"venue:1": {"epoch": "a", "offset": 1}}}',
        '{"subscribe": ["feed"], "since": {"feed": {"epoch": "a", "offset": -1}}}',
        '{"subscribe": ["feed"], "since": {"feed": {"epoch": "a", "offset": true}}}',
        '{"subscribe": ["feed"], "since": {"feed": {"epoch": "a b", "offset": 1}}}',
        '{"ping": 1}',
        '{"publish": {}}',
    ],
)
async def test_a_message_that_is_none_is_refused_and_the_stream_goes_on(
    served: Served, house: House, said: str
) -> None:
    async with served.listener(house) as listener:
        await listener.socket.send(said)
        assert (await listener.hear())["reason"] == "MALFORMED_MESSAGE"
        await listener.silent()


async def test_an_operator_by_break_glass_is_written_down_before_they_hear_anything(
    served: Served, house: House, backend: Any
) -> None:
    rights = {"role": "operator", "scope": "bookings.read", "amr": ["otp"], "auth_time": 0}
    async with served.listener(house, opr=str(ids.new()), **rights) as listener:
        assert (await listener.listen(house.room))["control"] == "subscribed"
        told = [(organization, act.call, list(act.touched)) for organization, act in backend.acts]
        assert told == [(house.organization, "listenToTopic", [house.venue])]
