"""Kill what you like: no booking, mail or webhook is lost or doubled, and no charge either."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.partner import Partner
from devstack.platform import Platform
from testkit import eventually

from .money import read_books
from .scene import Scene, opened
from .storm import assert_whole, blow

VICTIMS = ["booking", "payment", "notification", "support", "gateway", "auth", "analytics"]


@pytest.fixture(scope="module")
def scene(platform: Platform, api: Api, sink: Sink) -> Iterator[Scene]:
    with opened(platform, api, sink, partner=Partner(failures=0)) as scene:
        yield scene


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_killed_service_loses_and_doubles_nothing(
    victim: str, scene: Scene, http: httpx.AsyncClient
) -> None:
    await assert_whole(await blow(scene, http, lambda: scene.kill_and_start(victim)))


async def test_a_commit_that_was_not_published_before_the_kill_is_published_after_it(
    scene: Scene, http: httpx.AsyncClient
) -> None:
    """With the broker away nothing can be published: what is committed then stands before its publishing."""
    broker = scene.platform.engines.broker
    assert broker
    broker.kill()
    try:
        storm = await blow(scene, http, lambda: scene.kill_and_start("booking"))
    finally:
        await asyncio.to_thread(broker.start)
    await assert_whole(storm)


async def test_a_broker_that_comes_back_empty_is_refilled(scene: Scene, http: httpx.AsyncClient) -> None:
    broker = scene.platform.engines.broker
    assert broker

    def empty() -> None:
        broker.kill()
        broker.start()

    await assert_whole(await blow(scene, http, empty))


async def test_bookings_go_on_without_redis(scene: Scene, http: httpx.AsyncClient) -> None:
    valkey = scene.platform.engines.valkey
    assert valkey
    try:
        await assert_whole(await blow(scene, http, valkey.kill))
    finally:
        await asyncio.to_thread(valkey.start)


async def test_a_restarted_database_loses_and_doubles_nothing(scene: Scene, http: httpx.AsyncClient) -> None:
    postgres = scene.platform.engines.postgres
    assert postgres
    await assert_whole(await blow(scene, http, postgres.restart))


async def test_a_payment_that_meets_a_killed_service_is_charged_and_confirmed_once(scene: Scene) -> None:
    """Stripe's webhook finds nobody; once the service is back, it asks."""
    stripe = scene.platform.engines.stripe.url
    before = await asyncio.to_thread(read_books, stripe)
    day = guests.next_service_day(days_ahead=12)
    slots = await asyncio.to_thread(lambda: guests.search(scene.api, scene.venue, date=day, party_size=7))
    start = next(slot["start"] for slot in slots if slot["bookable"])
    payer = Guest("Payer", "payer@guest.example")
    held = await asyncio.to_thread(
        lambda: guests.book(scene.api, scene.venue, start=start, party_size=7, guest=payer, key="payer")
    )
    secret = held["deposit_payment"]["client_secret"]
    await asyncio.to_thread(scene.kill, "payment")
    await asyncio.to_thread(guests.pay, stripe, secret)
    await asyncio.to_thread(scene.platform.process("payment").start)
    path = f"/v1/bookings/{held['booking']['id']}"
    await eventually(lambda: scene.owner.api.get(path)["status"] == "confirmed", timeout=60)
    payments = scene.owner.api.get("/v1/payments", booking_id=held["booking"]["id"])["items"]
    assert [(each["status"], each["amount"]["amount"]) for each in payments] == [("succeeded", 7000)]
    come = (await asyncio.to_thread(read_books, stripe)).since(before)
    assert dict(come.charges) == {(secret.partition("_secret_")[0], 7000): 1}
    assert not come.refunds
