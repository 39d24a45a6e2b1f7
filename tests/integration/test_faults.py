"""Kill what you like: no booking, mail or webhook is lost or doubled, and no charge either."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from storm import assert_nothing_lost_or_doubled, blow

from conftest import new_owner, new_restaurant
from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from devstack.demo.partner import Partner
from devstack.platform import Platform
from devstack.process import ManagedProcess
from testkit import eventually


@pytest.fixture(scope="module")
def keeper(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture(scope="module")
def restaurant(keeper: Owner) -> Venue:
    return new_restaurant(keeper)


@pytest.fixture(scope="module")
def partner(keeper: Owner) -> Iterator[Partner]:
    listening = Partner(failures=0)
    registered = keeper.api.post("/v1/webhook-endpoints", {"url": listening.url})
    listening.secret = registered["secret"]
    yield listening
    listening.close()


def _kill_and_start(*processes: ManagedProcess) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.start()


@pytest.mark.parametrize("victim", ["booking", "notification", "gateway", "auth", "analytics"])
async def test_a_killed_service_loses_and_doubles_nothing(
    victim: str,
    platform: Platform,
    http: httpx.AsyncClient,
    api: Api,
    sink: Sink,
    keeper: Owner,
    restaurant: Venue,
    partner: Partner,
) -> None:
    processes = [process for process in platform.programs if process.program == victim]
    storm = await blow(http, api, restaurant, lambda: _kill_and_start(*processes))
    await assert_nothing_lost_or_doubled(storm, keeper, sink, partner)


async def test_a_commit_that_was_not_published_before_the_kill_is_published_after_it(
    platform: Platform,
    http: httpx.AsyncClient,
    api: Api,
    sink: Sink,
    keeper: Owner,
    restaurant: Venue,
    partner: Partner,
) -> None:
    """With the broker away nothing can be published: whatever is committed then, is between commit and publish."""
    assert platform.engines.broker
    broker = platform.engines.broker
    services = [process for process in platform.programs if process.program == "booking"]
    broker.kill()
    try:
        storm = await blow(http, api, restaurant, lambda: _kill_and_start(*services))
    finally:
        await asyncio.to_thread(broker.start)
    await assert_nothing_lost_or_doubled(storm, keeper, sink, partner)


async def test_a_broker_that_comes_back_empty_is_refilled(
    platform: Platform,
    http: httpx.AsyncClient,
    api: Api,
    sink: Sink,
    keeper: Owner,
    restaurant: Venue,
    partner: Partner,
) -> None:
    assert platform.engines.broker
    broker = platform.engines.broker
    storm = await blow(http, api, restaurant, lambda: _kill_and_start(broker))
    await assert_nothing_lost_or_doubled(storm, keeper, sink, partner)


async def test_bookings_go_on_without_redis(
    platform: Platform,
    http: httpx.AsyncClient,
    api: Api,
    sink: Sink,
    keeper: Owner,
    restaurant: Venue,
    partner: Partner,
) -> None:
    valkey = platform.engines.valkey
    assert valkey
    try:
        storm = await blow(http, api, restaurant, valkey.kill)
        await assert_nothing_lost_or_doubled(storm, keeper, sink, partner)
    finally:
        await asyncio.to_thread(valkey.start)


async def test_a_restarted_database_loses_and_doubles_nothing(
    platform: Platform,
    http: httpx.AsyncClient,
    api: Api,
    sink: Sink,
    keeper: Owner,
    restaurant: Venue,
    partner: Partner,
) -> None:
    assert platform.engines.postgres
    storm = await blow(http, api, restaurant, platform.engines.postgres.restart)
    await assert_nothing_lost_or_doubled(storm, keeper, sink, partner)


async def test_a_payment_that_meets_a_killed_service_is_charged_and_confirmed_once(
    platform: Platform, api: Api, keeper: Owner, restaurant: Venue
) -> None:
    day = guests.next_service_day(days_ahead=12)
    slots = await asyncio.to_thread(lambda: guests.search(api, restaurant, date=day, party_size=7))
    start = next(slot["start"] for slot in slots if slot["bookable"])
    payer = Guest("Payer", "payer@guest.example")
    held = await asyncio.to_thread(
        lambda: guests.book(api, restaurant, start=start, party_size=7, guest=payer, key="payer")
    )
    deposit = held["deposit_payment"]
    service = platform.process("payment")
    await asyncio.to_thread(service.kill)
    await asyncio.to_thread(guests.pay, platform.engines.stripe.url, deposit["client_secret"])
    await asyncio.to_thread(service.start)
    path = f"/v1/bookings/{held['booking']['id']}"
    await eventually(lambda: keeper.api.get(path)["status"] == "confirmed", timeout=60)
    payments = keeper.api.get("/v1/payments", booking_id=held["booking"]["id"])["items"]
    assert [(each["status"], each["amount"]["amount"]) for each in payments] == [("succeeded", 7000)]
    with httpx.Client(base_url=platform.engines.stripe.url, auth=("sk_test_reader", "")) as stripe:
        charges = stripe.get("/v1/charges", params={"limit": 100}).json()["data"]
    intent = deposit["client_secret"].partition("_secret_")[0]
    assert len([charge for charge in charges if charge["payment_intent"] == intent]) == 1
