"""Streams count as requests do: against quotas and places, in the log, and for who may read them."""

import json
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from comptoir.auth.v1 import site_pb2
from gateway.admission import Admission as Places
from gateway.dispatch import Table
from gateway.edge import Edge, Target
from gateway.errors import Overloaded
from gateway.http import Answer
from gateway.limits import Limiter
from gateway.limits.buckets import Buckets
from gateway.live import asking
from gateway.live.topics import Topic, TopicKind
from gateway.operator_acts import OperatorActs
from gateway.settings import AdmissionSettings, Settings
from servicekit import ids, permissions
from servicekit.identity import Caller, CallerKind, Signer
from servicekit.rpc.client import Peer
from servicekit.settings import RedisSettings
from testkit import eventually

from .conftest import House, Served

ORIGIN, OTHER_ORIGIN = "https://app.allowed.example", "https://app.other.example"


def quota(settings: Settings, member: str) -> dict[str, Any]:
    """Settings in which a member has so many requests."""
    return {"rates": settings.rates.model_copy(update={"member": member})}


async def test_a_topic_that_a_service_is_asked_about_counts_as_a_request(
    serve: Any, house: House, live_settings: Settings
) -> None:
    somebody = str(ids.new())
    async with (
        serve(others=quota(live_settings, "5/6000")) as served,
        served.listener(house, sub=somebody) as listener,  # two requests: the ticket and the handshake
    ):
        said = [await listener.listen(house.room) for _ in range(4)]
        assert [each["control"] for each in said] == ["subscribed"] * 3 + ["refused"]
        assert said[-1]["reason"] == "RATE_LIMITED"
        assert int(said[-1]["metadata"]["retry_after_seconds"]) > 0
        assert (await listener.listen("feed"))["control"] == "subscribed"  # no service is asked
        headers = served.access.bearer(org=str(house.organization), sub=somebody)
        async with httpx.AsyncClient(base_url=served.url) as http:
            answer = await http.post("/v1/stream/tickets", headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (429, "RATE_LIMITED")


async def test_a_handshake_counts_as_a_request_of_whom_its_ticket_stands_for(
    serve: Any, house: House, live_settings: Settings
) -> None:
    somebody = str(ids.new())
    async with serve(others=quota(live_settings, "3/6000")) as served:
        tickets = [await served.ticket(house, sub=somebody) for _ in range(2)]
        async with connect(f"ws://{served.address}/v1/stream?ticket={tickets[0]}"):
            pass
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{served.address}/v1/stream?ticket={tickets[1]}")
        answer = refused.value.response
        assert (answer.status_code, json.loads(answer.body or b"")["reason"]) == (429, "RATE_LIMITED")
        assert int(answer.headers["retry-after"]) > 0
        assert '"member"' in answer.headers["ratelimit"]


async def test_a_question_about_a_topic_needs_a_place_of_the_organization(
    live_settings: Settings, house: House
) -> None:
    async def nobody(*_arguments: Any) -> None:
        raise AssertionError

    places = Places(AdmissionSettings(in_flight_per_organization=1))
    signer = Signer(live_settings.identity.signing_key_file)
    peer = Peer("booking", live_settings.peers["booking"], signer)
    limiter = Limiter(live_settings.rates, Buckets(RedisSettings()))
    admission = asking.admission(
        {"booking": peer}, signer, OperatorActs(nobody), limiter=limiter, places=places
    )
    member = Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=house.organization,
        user=ids.new(),
        role="owner",
        permissions=frozenset(permissions.of_role("owner")),
    )
    room = Topic(TopicKind.VENUE, house.venue)
    with places.of(house.organization), pytest.raises(Overloaded):
        await admission.admit(member, room)
    await admission.admit(member, room)
    await peer.close()


class Opening:
    """Streams that open for everybody, and end at once."""

    @property
    def handshake(self) -> Target:
        async def open_up(_request: Any, _variables: Any) -> Answer:
            async def stream(send: Any) -> None:
                await send({"type": "websocket.accept"})

            return Answer(101, stream=stream)

        return Target("/v1/stream", open_up)

    async def drain(self) -> None:
        """Nothing is open."""


async def test_a_handshake_needs_a_place() -> None:
    places = Places(AdmissionSettings(in_flight=1))
    edge = Edge(Table(), admission=places, streaming=Opening())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/v1/stream",
        "query_string": b"",
        "headers": [],
        "client": None,
    }

    async def knock(_request: Any) -> None:
        await edge({**scope}, receive, send)

    class Other:
        path, address = b"/v1/bookings", "192.0.2.7"

    await places.answer(Other(), knock)  # type: ignore[arg-type]  # all that it looks at
    assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 503)
    assert (b"retry-after", b"1") in sent[0]["headers"]
    await knock(None)
    assert sent[-1] == {"type": "websocket.accept"}
    assert places.in_flight == 0


async def test_messages_are_counted_for_all_streams_of_a_caller(serve: Any, house: House) -> None:
    async with serve(messages_per_minute=5) as served:
        for _ in range(2):
            async with served.listener(house) as listener:
                for _ in range(2):
                    await listener.silent()
        async with served.listener(house) as listener, served.listener(house, sub=str(ids.new())) as other:
            for _ in range(3):
                await listener.say(ping="x")
            assert await listener.closed() == (1008, "TOO_MANY_MESSAGES")
            await other.silent()


def handshakes() -> float:
    """How many good ones were counted."""
    labels = {"method": "GET", "route": "/v1/stream", "status": "101"}
    return REGISTRY.get_sample_value("comptoir_http_requests_total", labels) or 0.0


async def test_each_stream_has_its_line_in_the_log_and_is_counted(
    served: Served, house: House, capsysbinary: Any
) -> None:
    before = handshakes()
    tickets = [await served.ticket(house) for _ in range(2)]
    async with connect(f"ws://{served.address}/v1/stream?ticket={tickets[0]}"):
        pass
    with pytest.raises(InvalidStatus):
        await connect(f"ws://{served.address}/v1/stream?ticket={tickets[0]}")
    async with (
        httpx.AsyncClient(base_url=served.url) as http,
        http.stream("GET", f"/v1/stream?topics=feed&ticket={tickets[1]}") as answer,
    ):
        assert '"member"' in answer.headers["ratelimit"]
    written = b""

    def lines() -> list[dict[str, Any]]:
        nonlocal written
        written += capsysbinary.readouterr().out
        told = [json.loads(each) for each in written.splitlines() if b'"event":"request"' in each]
        return [each for each in told if each["route"] == "/v1/stream"]

    await eventually(lambda: len(lines()) == 3)
    told = [(each["status"], each["caller"], each.get("organization")) for each in lines()]
    whose = str(house.organization)
    assert told == [(101, "member", whose), (401, "anonymous", None), (200, "member", whose)]
    assert all(len(each["trace_id"]) == 32 for each in lines())
    assert not [each for each in tickets if each.encode() in written]
    assert handshakes() == before + 1


async def test_a_page_of_another_organization_may_not_read_a_stream_opened_by_ticket(
    served: Served, house: House, backend: Any
) -> None:
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        backend.sites = [
            site_pb2.Site(organization_id=house.organization.bytes, origins=[ORIGIN]),
            site_pb2.Site(organization_id=ids.new().bytes, origins=[OTHER_ORIGIN]),
        ]

        async def heard() -> bool:
            asked = {"origin": OTHER_ORIGIN, "access-control-request-method": "POST"}
            answer = await http.options("/v1/bookings", headers=asked)
            return "access-control-allow-origin" in answer.headers

        await eventually(heard)
        for origin, leave in ((ORIGIN, ORIGIN), (OTHER_ORIGIN, None)):
            address = f"/v1/stream?topics=feed&ticket={await served.ticket(house)}"
            async with http.stream("GET", address, headers={"origin": origin}) as answer:
                assert answer.status_code == 200
                assert answer.headers.get("access-control-allow-origin") == leave


async def test_head_is_answered_as_get_and_uses_no_ticket_up(served: Served, house: House) -> None:
    async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
        assert (await http.head("/v1/stream?topics=feed")).status_code == 401
        assert (await http.head("/v1/stream?topics=feed&ticket=invented")).status_code == 401
        address = f"/v1/stream?topics=feed&ticket={await served.ticket(house)}"
        for _ in range(2):
            answer = await http.head(address)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        async with http.stream("GET", address) as stream:
            assert stream.status_code == 200
        assert (await http.head(address)).status_code == 401


async def test_who_is_refused_a_stream_hears_when_to_come_again(serve: Any, house: House) -> None:
    async def refused(served: Served) -> tuple[int, str, str | None]:
        headers = served.access.bearer(org=str(house.organization))
        async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
            answer = await http.get("/v1/stream?topics=feed&topics=venue:ven_1", headers=headers)
        return answer.status_code, answer.json()["reason"], answer.headers.get("retry-after")

    async with serve(connections_per_caller=1) as served, served.listener(house) as listener:
        await listener.silent()
        assert await refused(served) == (429, "TOO_MANY_STREAMS", "5")
    async with serve(connections=1) as served, served.listener(house) as listener:
        await listener.silent()
        assert await refused(served) == (503, "OVERLOADED", "5")
    async with serve(topics_per_connection=1) as served:
        assert await refused(served) == (422, "TOO_MANY_TOPICS", None)  # it would never be granted
