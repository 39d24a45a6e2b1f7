"""A storm: guests who book, pay and cancel while something is killed, each trying again until heard."""

import asyncio
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from devstack.demo import guest as guests
from devstack.demo.owner import Venue
from testkit import eventually

from .conftest import new_restaurant
from .insisting import insist
from .money import Books, read_books
from .scene import Scene

GUESTS = 16
PAYERS = 4
DEPOSIT = 7000
_NAME = "Tempestine Wirbelwind"
_PATIENCE = 90.0
_AMBIGUOUS_MAILS = "comptoir_mails_ambiguous_total"
_AMBIGUOUS_WEBHOOKS = "comptoir_webhooks_ambiguous_total"


@dataclass(slots=True)
class Party:
    """A guest with a wish, and what came of it."""

    email: str
    wish: dict[str, Any]
    cancels: bool = False
    """Once the deposit is paid."""
    booking: str = ""
    """The booking's id, as the platform answered."""
    intent: str = ""
    """The provider's name for the deposit, once it is paid."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """What notification had sent a second time because the first may not have arrived, by its own count."""

    processes: list[int | None]
    """A process that was started anew counts from 0."""
    mails: float
    webhooks: float

    @classmethod
    def read(cls, scene: Scene) -> "Doubts":
        """As it stands now."""
        pids = [each.pid for each in scene.processes("notification")]
        mails, webhooks = (
            scene.metric("notification", each) for each in (_AMBIGUOUS_MAILS, _AMBIGUOUS_WEBHOOKS)
        )
        return cls(pids, mails, webhooks)

    def since(self, before: "Doubts") -> "Doubts":
        """What has come since then."""
        if self.processes != before.processes:
            return self
        return Doubts(self.processes, self.mails - before.mails, self.webhooks - before.webhooks)


@dataclass(slots=True)
class Storm:
    """Who wants what. Two pay nothing; those who come as seven pay, and half of them cancel."""

    scene: Scene
    venue: Venue
    before: Books
    doubts: Doubts
    """Before it began."""
    two: list[Party] = field(default_factory=list)
    seven: list[Party] = field(default_factory=list)

    @property
    def served(self) -> int:
        """How many have a booking."""
        return sum(bool(party.booking) for party in (*self.two, *self.seven))

    @property
    def paid(self) -> list[Party]:
        """Whose card was charged."""
        return [party for party in self.seven if party.intent]


async def blow(scene: Scene, http: httpx.AsyncClient, fault: Callable[[], None]) -> Storm:
    """Lets everybody act, and `fault` happen when a quarter of them have a booking."""
    storm = await asyncio.to_thread(_gather, scene)
    acting: list[asyncio.Task[Any]] = [asyncio.create_task(_book(http, party)) for party in storm.two]
    acting += [asyncio.create_task(_book_and_pay(http, scene, party)) for party in storm.seven]
    await eventually(lambda: storm.served >= (GUESTS + PAYERS) // 4, timeout=_PATIENCE)
    await asyncio.to_thread(fault)
    await asyncio.wait_for(asyncio.gather(*acting), _PATIENCE)
    return storm


def _gather(scene: Scene) -> Storm:
    """One table for two, or for seven; each party on a day of its own, in a house of their own."""
    venue = new_restaurant(scene.owner)
    storm = Storm(scene, venue, read_books(scene.platform.engines.stripe.url), Doubts.read(scene))
    name = secrets.token_hex(4)
    for number in range(GUESTS + PAYERS):
        size = 2 if number < GUESTS else 7
        day = guests.next_service_day(days_ahead=20 + 2 * number)
        slots = guests.search(scene.api, venue, date=day, party_size=size)
        email = f"storm-{name}-{number}@guest.example"
        wish = {
            "venue_id": venue.id,
            "offering_id": venue.offering_id,
            "start": secrets.choice([slot["start"] for slot in slots if slot["bookable"]]),
            "party_size": size,
            "guest": {"name": _NAME, "email": email, "language": "en"},
        }
        (storm.two if number < GUESTS else storm.seven).append(
            Party(email, wish, cancels=size > 2 and number % 2 == 0)
        )
    return storm


async def post(http: httpx.AsyncClient, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """Posts with one Idempotency-Key until heard, whatever is killed meanwhile."""
    named = {"idempotency-key": f'"{secrets.token_hex(8)}"', **headers}
    return await insist(lambda: http.post(path, json=body, headers=named), unheard=(httpx.TransportError,))


async def _book(http: httpx.AsyncClient, party: Party) -> dict[str, Any]:
    answer = await post(http, "/v1/bookings", party.wish)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    party.booking = made["booking"]["id"]
    return made


async def _book_and_pay(http: httpx.AsyncClient, scene: Scene, party: Party) -> None:
    """Who is too late to pay goes home; whose hold ended while paying has nothing to cancel."""
    made = await _book(http, party)
    secret = made.get("deposit_payment", {}).get("client_secret")
    if not secret:
        return
    try:
        await asyncio.to_thread(guests.pay, scene.platform.engines.stripe.url, secret)
    except httpx.HTTPStatusError:
        return  # the hold is over, and with it the intent
    party.intent = secret.partition("_secret_")[0]
    if party.cancels:
        answer = await post(http, f"/v1/manage/{made['manage_token']}/cancel", {})
        party.cancels = answer.is_success
        assert answer.status_code in {200, 409}, answer.text


async def assert_whole(storm: Storm) -> None:
    """Nothing lost, nothing doubled: bookings, charges, refunds, webhooks, mails."""
    everybody = [*storm.two, *storm.seven]
    assert [process.name for process in storm.scene.platform.programs if not process.running] == []
    assert len({party.booking for party in everybody}) == GUESTS + PAYERS
    kept = await _assert_money(storm)
    await _assert_told(storm)
    await _assert_mailed(storm, [*storm.two, *kept], [party for party in storm.paid if party.cancels])
    assert await asyncio.to_thread(_booked, storm) == Counter(party.email for party in everybody)


async def _assert_money(storm: Storm) -> list[Party]:
    """Each deposit was charged once; it is of a confirmed booking, or went back once. Answers who comes."""
    assert storm.paid, "nobody could pay, so nothing is proven about money"
    await eventually(lambda: asyncio.to_thread(_settled, storm), timeout=_PATIENCE)
    kept = [party for party in storm.paid if _status(storm, party) == "confirmed"]
    assert not [party for party in kept if party.cancels]
    books = await asyncio.to_thread(read_books, storm.scene.platform.engines.stripe.url)
    come = books.since(storm.before)
    assert come.charges == Counter((party.intent, DEPOSIT) for party in storm.paid)
    assert come.refunds == Counter((party.intent, DEPOSIT) for party in storm.paid if party not in kept)
    return kept


def _settled(storm: Storm) -> bool:
    """Whether all money is where the bookings say."""
    wanted = {"confirmed": "succeeded", "cancelled": "refunded", "expired": "refunded"}
    for party in storm.paid:
        (payment,) = storm.scene.owner.api.get("/v1/payments", booking_id=party.booking)["items"]
        if payment["status"] != wanted.get(_status(storm, party)):
            return False
    return True


def _status(storm: Storm, party: Party) -> str:
    return str(storm.scene.owner.api.get(f"/v1/bookings/{party.booking}")["status"])


async def _assert_told(storm: Storm) -> None:
    """The partner was told of each thing under one webhook-id, and again only where that was counted."""
    wanted = {(party.booking, "booking.confirmed") for party in storm.two}
    wanted |= {(party.booking, "payment.succeeded") for party in storm.paid}
    await eventually(lambda: wanted <= set(_told(storm)), timeout=_PATIENCE)
    told = _told(storm)
    # A booking that ends may be told to have ended a second time, when money came after that.
    ends = {"booking.cancelled", "booking.expired"}
    assert {what: ids for what, ids in told.items() if len(set(ids)) > 1 and what[1] not in ends} == {}
    again = sum(len(ids) - len(set(ids)) for ids in told.values())
    assert again <= (await asyncio.to_thread(Doubts.read, storm.scene)).since(storm.doubts).webhooks


def _told(storm: Storm) -> dict[tuple[str, str], list[str]]:
    """Booking and kind to the webhook-ids that came."""
    ours = {party.booking for party in (*storm.two, *storm.seven)}
    found = defaultdict(list)
    for each in list(storm.scene.partner.received):
        if each["data"].get("booking_id") in ours:
            found[each["data"]["booking_id"], each["type"]].append(each["id"])
    return found


async def _assert_mailed(storm: Storm, confirmed: list[Party], cancelled: list[Party]) -> None:
    """Each guest has one mail of a kind. The same mail came again only where the platform has counted it."""
    wanted = {(party.email, "Confirmed") for party in confirmed}
    wanted |= {(party.email, "Cancelled") for party in cancelled}
    await eventually(lambda: asyncio.to_thread(lambda: wanted <= set(_mails(storm))), timeout=_PATIENCE)
    mails = await asyncio.to_thread(_mails, storm)
    assert {what: ids for what, ids in mails.items() if len(set(ids)) > 1} == {}
    again = sum(len(ids) - 1 for ids in mails.values())
    assert again <= (await asyncio.to_thread(Doubts.read, storm.scene)).since(storm.doubts).mails


def _mails(storm: Storm) -> dict[tuple[str, str], list[str]]:
    """Address and kind to the Message-IDs that came."""
    found = defaultdict(list)
    for party in (*storm.two, *storm.seven):
        for mail in storm.scene.sink.mails(party.email):
            kind = mail["subject"].partition(":")[0]
            found[party.email, kind].append(mail["headers"]["Message-ID"])
    return found


def _booked(storm: Storm) -> Counter[str]:
    """By the staff's list of each day."""
    found: Counter[str] = Counter()
    for day in {party.wish["start"][:10] for party in (*storm.two, *storm.seven)}:
        items = storm.scene.owner.api.get("/v1/bookings", venue_id=storm.venue.id, date=day)["items"]
        ours = {party.booking for party in (*storm.two, *storm.seven)}
        found.update(item["guest"]["email"] for item in items if item["id"] in ours)
    return found
