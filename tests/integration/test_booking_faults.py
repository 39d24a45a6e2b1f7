"""Answers that get lost, and money that comes while a booking is called off: once is once."""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.environment import target
from devstack.platform import Platform
from devstack.services import ServiceProcess
from testkit import eventually
from testkit.rpc_wires import RpcWire
from testkit.wires import Moment

from .arena import Arena, open_arena
from .conftest import new_owner
from .insisting import insist
from .money import read_books

DEPOSIT = 7000
_PATIENCE = 60.0
_EVENINGS = count(5)


@pytest.fixture(scope="module")
def staff(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture
def house(platform: Platform, staff: Owner, http: httpx.AsyncClient) -> Arena:
    """One table, and a deposit from six people on."""
    return open_arena(http, staff, platform, tables=[("T1", 1, 8)], deposit=True)


@dataclass(frozen=True, slots=True)
class Line:
    """One of three processes of booking, and the wire over which the gateway reaches it."""

    wire: RpcWire
    process: ServiceProcess


@pytest.fixture(scope="module")
def lines(platform: Platform) -> Iterator[list[Line]]:
    """Between gateway and booking; at the end all is as it was."""
    gateway = platform.process("gateway")
    kept = gateway.environment
    processes = [each for each in platform.programs if each.program == "booking"]
    lines = [Line(RpcWire(process.address), process) for process in processes]
    for line in lines:
        line.wire.start()
    over_wires = target([line.wire.address for line in lines])
    gateway.environment = {**kept, "GATEWAY_PEERS__BOOKING": over_wires}
    gateway.restart()
    yield lines
    gateway.environment = kept
    gateway.restart()
    for line in lines:
        line.wire.close()


@pytest.mark.parametrize(
    ("moment", "committed"), [(Moment.BEFORE, []), (Moment.AFTER, ["confirmed"])], ids=["before", "after"]
)
async def test_killed_before_it_answers_a_booking_is_made_once_by_a_guest_who_tries_again(
    moment: Moment, committed: list[str], house: Arena, lines: list[Line]
) -> None:
    email, key, start = f"lost-{secrets.token_hex(6)}@guest.example", secrets.token_hex(8), house.at()
    pins = [line.wire.pin_call(moment, text=email) for line in lines]
    first = asyncio.create_task(house.book(2, start, key=key, email=email))
    await eventually(lambda: any(pin.reached for pin in pins), timeout=_PATIENCE)
    (hit,) = [line for line, pin in zip(lines, pins, strict=True) if pin.reached]
    assert _bookings_of(house, email) == committed
    await asyncio.to_thread(hit.process.kill)
    for line in lines:
        line.wire.cut()

    lost = await first
    again = await house.book(2, start, key=key, email=email)
    await asyncio.to_thread(hit.process.start)

    assert lost.status_code in {201, 503}  # the gateway may have tried again by itself
    assert again.status_code == httpx.codes.CREATED, again.text
    assert _bookings_of(house, email) == ["confirmed"]
    everybody = (await house.staff("GET", f"bookings?venue_id={house.venue}&date={start[:10]}")).json()
    assert [each["id"] for each in everybody["items"]] == [again.json()["booking"]["id"]]
    other_key = await house.book(2, start, key=secrets.token_hex(8), email=email)
    assert other_key.json()["reason"] == "SLOT_TAKEN"  # the control: it is the key that finds the booking
    await house.assert_sound()


def _bookings_of(house: Arena, email: str) -> list[str]:
    """How the bookings of a guest stand, as the database has it."""
    query = "SELECT b.status FROM bookings b JOIN guests g ON g.id = b.guest_id WHERE g.email = '{}';"
    return house.books.rows(query.format(email))


async def test_deposits_paid_while_their_bookings_are_called_off_go_back_once(
    house: Arena, platform: Platform
) -> None:
    stripe = platform.engines.stripe.url
    before = await asyncio.to_thread(read_books, stripe)
    held = [(await house.book(7, house.at(days=days))).json() for days in range(6)]

    async def pay(secret: str) -> bool:
        try:
            await asyncio.to_thread(guests.pay, stripe, secret)
        except httpx.HTTPStatusError:
            return False  # called off before, and the intent with it
        return True

    async def call_off(token: str) -> httpx.Response:
        return await insist(lambda: house.http.post(f"/v1/manage/{token}/cancel"))

    paid, answers = await asyncio.gather(
        asyncio.gather(*(pay(each["deposit_payment"]["client_secret"]) for each in held)),
        asyncio.gather(*(call_off(each["manage_token"]) for each in held)),
    )
    assert {answer.status_code for answer in answers} == {200}

    def settled() -> bool:
        states = [_payment(house, each["booking"]["id"]) for each in held]
        return states == ["refunded" if each else "cancelled" for each in paid]

    await eventually(settled, timeout=_PATIENCE)
    come = (await asyncio.to_thread(read_books, stripe)).since(before)
    ours = {each["deposit_payment"]["client_secret"].partition("_secret_")[0] for each in held}
    charged = {each: times for each, times in come.charges.items() if each[0] in ours}
    assert charged == {each: times for each, times in come.refunds.items() if each[0] in ours}
    assert sorted(charged.values()) == [1] * sum(paid)
    assert {(await house.see(each["booking"]["id"]))["status"] for each in held} == {"cancelled"}
    await house.assert_sound()


def _payment(house: Arena, booking: str) -> str:
    (payment,) = house.owner.api.get("/v1/payments", booking_id=booking)["items"]
    return str(payment["status"])
