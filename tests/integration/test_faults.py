"""Kill what you like: no booking, mail or webhook is lost or doubled, and no charge either."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from devstack.demo.partner import Partner
from devstack.platform import Platform
from devstack.process import ManagedProcess
from testkit import eventually

from .conftest import new_owner, new_restaurant
from .storm import Storm, assert_nothing_lost_or_doubled, blow


@dataclass(frozen=True, slots=True)
class Scene:
    """A restaurant whose partner listens, and everything that can be killed."""

    platform: Platform
    api: Api
    sink: Sink
    owner: Owner
    venue: Venue
    partner: Partner

    async def blow(self, http: httpx.AsyncClient, fault: Callable[[], None]) -> Storm:
        """Guests book while `fault` happens."""
        return await blow(http, self.api, self.venue, fault)

    async def assert_whole(self, storm: Storm) -> None:
        """Nothing lost, nothing doubled."""
        await assert_nothing_lost_or_doubled(storm, self.owner, self.sink, self.partner)


@pytest.fixture(scope="module")
def scene(platform: Platform, api: Api, sink: Sink) -> Iterator[Scene]:
    owner = new_owner(api, sink)
    partner = Partner(failures=0)
    registered = owner.api.post("/v1/webhook-endpoints", {"url": partner.url})
    partner.secret = registered["secret"]
    yield Scene(platform, api, sink, owner, new_restaurant(owner), partner)
    partner.close()


def _kill_and_start(*processes: ManagedProcess) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.start()


@pytest.mark.parametrize("victim", ["booking", "notification", "gateway", "auth", "analytics"])
async def test_a_killed_service_loses_and_doubles_nothing(
    victim: str, scene: Scene, http: httpx.AsyncClient
) -> None:
    processes = [process for process in scene.platform.programs if process.program == victim]
    storm = await scene.blow(http, lambda: _kill_and_start(*processes))
    await scene.assert_whole(storm)


async def test_a_commit_that_was_not_published_before_the_kill_is_published_after_it(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    """With the broker away nothing can be published: what is committed then stands before its publishing."""
    assert scene.platform.engines.broker
    broker = scene.platform.engines.broker
    services = [process for process in scene.platform.programs if process.program == "booking"]
    broker.kill()
    try:
        storm = await scene.blow(http, lambda: _kill_and_start(*services))
    finally:
        await asyncio.to_thread(broker.start)
    await scene.assert_whole(storm)


async def test_a_broker_that_comes_back_empty_is_refilled(scene: Scene, http: httpx.AsyncClient) -> None:
    assert scene.platform.engines.broker
    broker = scene.platform.engines.broker
    storm = await scene.blow(http, lambda: _kill_and_start(broker))
    await scene.assert_whole(storm)


async def test_bookings_go_on_without_redis(scene: Scene, http: httpx.AsyncClient) -> None:
    valkey = scene.platform.engines.valkey
    assert valkey
    try:
        storm = await scene.blow(http, valkey.kill)
        await scene.assert_whole(storm)
    finally:
        await asyncio.to_thread(valkey.start)


async def test_a_restarted_database_loses_and_doubles_nothing(scene: Scene, http: httpx.AsyncClient) -> None:
    assert scene.platform.engines.postgres
    storm = await scene.blow(http, scene.platform.engines.postgres.restart)
    await scene.assert_whole(storm)


async def test_a_payment_that_meets_a_killed_service_is_charged_and_confirmed_once(scene: Scene) -> None:
    day = guests.next_service_day(days_ahead=12)
    slots = await asyncio.to_thread(lambda: guests.search(scene.api, scene.venue, date=day, party_size=7))
    start = next(slot["start"] for slot in slots if slot["bookable"])
    payer = Guest("Payer", "payer@guest.example")
    held = await asyncio.to_thread(
        lambda: guests.book(scene.api, scene.venue, start=start, party_size=7, guest=payer, key="payer")
    )
    secret = held["deposit_payment"]["client_secret"]
    service = scene.platform.process("payment")
    await asyncio.to_thread(service.kill)
    await asyncio.to_thread(guests.pay, scene.platform.engines.stripe.url, secret)
    await asyncio.to_thread(service.start)
    path = f"/v1/bookings/{held['booking']['id']}"
    await eventually(lambda: scene.owner.api.get(path)["status"] == "confirmed", timeout=60)
    payments = scene.owner.api.get("/v1/payments", booking_id=held["booking"]["id"])["items"]
    assert [(each["status"], each["amount"]["amount"]) for each in payments] == [("succeeded", 7000)]
    assert await _charges(scene, secret.partition("_secret_")[0]) == 1


async def _charges(scene: Scene, intent: str) -> int:
    url = scene.platform.engines.stripe.url
    async with httpx.AsyncClient(base_url=url, auth=("sk_test_reader", "")) as stripe:
        answer = await stripe.get("/v1/charges", params={"limit": 100})
    return len([charge for charge in answer.json()["data"] if charge["payment_intent"] == intent])
