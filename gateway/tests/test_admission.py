"""Load shedding: at the limit the next request is refused at once, and a place that was held comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from gateway.admission import Admission
from gateway.app import open_gateway
from gateway.edge import Edge as HttpEdge
from gateway.errors import Overloaded
from gateway.http import Disconnected, Request
from gateway.settings import AdmissionSettings, Settings
from servicekit import ids
from testkit import eventually

from .conftest import Backend

AVAILABILITY = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
TYPE = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
Handle = Callable[[Request], Any]


def asking(address: str = "192.0.2.1", path: bytes = b"/v1/x") -> Request:
    async def nothing() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    return Request("r", "GET", path, b"", {}, address, {}, nothing)


def small(**changes: int) -> Admission:
    most = {"in_flight": 3, "in_flight_per_client": 2, "in_flight_per_organization": 1} | changes
    return Admission(AdmissionSettings.model_validate(most))


class Gate:
    """Handlers that wait for it."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, request: Request) -> str:
        await self.open.wait()
        return request.address


async def test_no_client_takes_all_and_all_take_no_more_than_there_is() -> None:
    admission, gate = small(), Gate()
    addresses = ("192.0.2.1", "192.0.2.1", "192.0.2.2")
    held = [asyncio.create_task(admission.answer(asking(each), gate)) for each in addresses[:2]]
    assert await eventually(lambda: admission.in_flight == 2)
    with pytest.raises(Overloaded):
        await admission.answer(asking("192.0.2.1"), gate)
    held.append(asyncio.create_task(admission.answer(asking("192.0.2.2"), gate)))
    assert await eventually(lambda: admission.in_flight == 3)
    with pytest.raises(Overloaded):
        await admission.answer(asking("192.0.2.3"), gate)
    gate.open.set()
    assert await asyncio.gather(*held) == list(addresses)
    assert admission.in_flight == 0
    assert await admission.answer(asking("192.0.2.3"), gate) == "192.0.2.3"


async def test_a_network_of_ipv6_is_one_client() -> None:
    admission, gate = small(in_flight_per_client=1), Gate()
    held = asyncio.create_task(admission.answer(asking("2001:db8::1"), gate))
    assert await eventually(lambda: admission.in_flight == 1)
    with pytest.raises(Overloaded):
        await admission.answer(asking("2001:db8::ffff:2"), gate)
    gate.open.set()
    assert await admission.answer(asking("2001:db8:0:1::1"), gate) == "2001:db8:0:1::1"
    await held


class Broken(Exception):
    """What a handler raises."""


@pytest.mark.parametrize("error", [Broken, Disconnected, Overloaded])
async def test_a_place_comes_back_however_it_ends(error: type[Exception]) -> None:
    admission = small()

    async def fail(_request: Request) -> None:
        raise error

    for _ in range(5):
        with pytest.raises(error):
            await admission.answer(asking(), fail)
    assert admission.in_flight == 0


async def test_a_place_comes_back_when_it_is_cancelled() -> None:
    admission, gate = small(in_flight=1), Gate()
    held = asyncio.create_task(admission.answer(asking(), gate))
    assert await eventually(lambda: admission.in_flight == 1)
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    gate.open.set()
    assert await admission.answer(asking(), gate) == "192.0.2.1"


async def test_probes_are_always_answered() -> None:
    admission, gate = small(in_flight=1), Gate()
    held = asyncio.create_task(admission.answer(asking(), gate))
    assert await eventually(lambda: admission.in_flight == 1)
    gate.open.set()
    for path in (b"/healthz", b"/readyz"):
        assert await admission.answer(asking(path=path), gate) == "192.0.2.1"
    await held


def test_an_organization_has_its_share_and_nobody_needs_none() -> None:
    admission = small()
    one, other = ids.new(), ids.new()
    none = admission.of(None)
    with admission.of(one), admission.of(other), none, pytest.raises(Overloaded), admission.of(one):
        pass
    for _ in range(3):
        with pytest.raises(Broken), admission.of(one):
            raise Broken
    with admission.of(one):
        pass


@pytest.fixture
async def full(settings: Settings, backend: Backend) -> AsyncIterator[HttpEdge]:
    """A gateway with two places, and one for each organization."""
    few = AdmissionSettings(in_flight=2, in_flight_per_client=2, in_flight_per_organization=1)
    async with open_gateway(settings.model_copy(update={"admission": few}), lambda: True) as opened:
        backend.gate = asyncio.Event()
        yield opened
        backend.gate.set()


@pytest.fixture
async def caller(full: HttpEdge) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=full, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as opened:
        yield opened


async def test_a_full_gateway_refuses_at_once_and_finishes_what_it_has(
    caller: httpx.AsyncClient, backend: Backend
) -> None:
    assert backend.gate is not None
    held = [asyncio.create_task(caller.get(AVAILABILITY)) for _ in range(2)]
    assert await eventually(lambda: backend.calls == 2)
    for method, path in (("GET", AVAILABILITY), ("POST", "/v1/bookings"), ("GET", "/nowhere")):
        refused = await caller.request(method, path)
        body = refused.json()
        assert (refused.status_code, body["reason"], body["type"]) == (503, "OVERLOADED", TYPE)
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        assert body["request_id"] == refused.headers["x-request-id"]
    assert backend.calls == 2
    assert (await caller.get("/healthz")).status_code == 200
    assert (await caller.get("/readyz")).status_code == 200
    backend.gate.set()
    assert [each.status_code for each in await asyncio.gather(*held)] == [200, 200]
    assert (await caller.get(AVAILABILITY)).status_code == 200


async def test_one_organization_leaves_room_for_others(
    caller: httpx.AsyncClient, backend: Backend, access: Any
) -> None:
    assert backend.gate is not None
    mine, theirs = access.bearer(), access.bearer(org=str(ids.new()))
    held = asyncio.create_task(caller.get(AVAILABILITY, headers=mine))
    assert await eventually(lambda: backend.calls == 1)
    refused = await caller.get("/v1/bookings/bkg_1", headers=mine)
    assert (refused.status_code, refused.json()["reason"]) == (503, "OVERLOADED")
    assert (await caller.get("/v1/bookings/bkg_1", headers=theirs)).status_code == 200
    backend.gate.set()
    assert (await held).status_code == 200
