"""Money that comes at a hold's end or later, end to end: the booking is confirmed, or it goes back once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Refused, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from testkit import eventually

from .conftest import new_owner

DEPOSIT = 7000
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """Seven people who hold a table."""

    booking: str
    start: str
    email: str
    manage_token: str
    client_secret: str

    @property
    def intent(self) -> str:
        """The provider's name for the payment."""
        return self.client_secret.partition("_secret_")[0]


@dataclass(frozen=True, slots=True)
class Bistro:
    """A restaurant with so few tables that they are sold or free; every test has evenings of its own."""

    platform: Platform
    api: Api
    sink: Sink
    owner: Owner
    venue: Venue
    evenings: Iterator[int] = field(default_factory=lambda: count(5, 3))

    async def hold(self) -> Held:
        """Somebody wants the table and has not paid yet."""
        evening = next(self.evenings)
        day = guests.next_service_day(days_ahead=evening)
        start = guests.search(self.api, self.venue, date=day, party_size=7)[0]["start"]
        email = f"late-{self.venue.slug}-{evening}@guest.example"
        made = guests.book(self.api, self.venue, start=start, party_size=7, guest=Guest("Late", email))
        secret = made["deposit_payment"]["client_secret"]
        return Held(made["booking"]["id"], start, email, made["manage_token"], secret)

    def pay(self, held: Held) -> None:
        """As the guest's browser does, at the provider alone."""
        guests.pay(self.platform.engines.stripe.url, held.client_secret)

    @contextmanager
    def webhooks_lost(self) -> Iterator[None]:
        """Stripe tells nobody of what is paid, so that only asking finds it."""
        stripe, secret = self.platform.engines.stripe, self.platform.secrets.stripe_webhook_secret
        stripe.register_webhook("comptoir", url=f"{self.platform.gateway_url}/nowhere", secret=secret)
        try:
            yield
        finally:
            stripe.register_webhook(
                "comptoir", url=f"{self.platform.gateway_url}/hooks/stripe", secret=secret
            )

    @contextmanager
    def payment_away(self) -> Iterator[None]:
        """Nobody hears of money until this ends: what is paid meanwhile comes late."""
        service = self.platform.process("payment")
        service.kill()
        try:
            yield
        finally:
            service.start()

    async def becomes(self, held: Held, status: str) -> None:
        """Waits until staff see the booking so."""
        await eventually(lambda: self.status(held.booking) == status, timeout=_PATIENCE)

    def status(self, booking: str) -> str:
        return str(self.owner.api.get(f"/v1/bookings/{booking}")["status"])

    async def is_overtaken(self, held: Held) -> str:
        """Two people take its table as soon as the hold has run out; no deposit is asked of them."""
        made: list[str] = []

        def take() -> bool:
            try:
                wish = Guest("Rival", f"rival-{held.email}")
                rival = guests.book(self.api, self.venue, start=held.start, party_size=2, guest=wish)
            except Refused as refusal:
                if refusal.reason == "SLOT_TAKEN":
                    return False
                raise
            made.append(rival["booking"]["id"])
            return True

        await eventually(take, timeout=_PATIENCE)
        return made[0]

    def payment(self, held: Held) -> tuple[str, int]:
        """Where the only payment of a booking stands, and how much of it went back."""
        (payment,) = self.owner.api.get("/v1/payments", booking_id=held.booking)["items"]
        return payment["status"], payment["refunded"]["amount"]

    def given_back(self, held: Held) -> list[int]:
        """The refunds that the provider made."""
        url, query = self.platform.engines.stripe.url, {"payment_intent": held.intent}
        with httpx.Client(base_url=url, auth=("sk_test_reader", "")) as stripe:
            return [each["amount"] for each in stripe.get("/v1/refunds", params=query).json()["data"]]

    def mails(self, held: Held) -> list[tuple[str, str]]:
        """Kind and state of what the guest is written."""
        found = self.owner.api.get("/v1/notifications", booking_id=held.booking)["items"]
        return sorted((mail["kind"], mail["status"]) for mail in found)

    async def another_refund_passes(self) -> None:
        """What anybody had asked for before, has gone the same way by now."""
        other = await self.hold()
        self.pay(other)
        await self.becomes(other, "confirmed")
        self.owner.api.post(f"/v1/bookings/{other.booking}/cancel")
        await eventually(lambda: self.payment(other) == ("refunded", DEPOSIT), timeout=_PATIENCE)


@pytest.fixture(scope="module")
def bistro(platform: Platform, api: Api, sink: Sink) -> Bistro:
    owner = new_owner(api, sink)
    name = f"bistro-{owner.organization_id[-8:].lower()}"
    return Bistro(platform, api, sink, owner, _open(owner.api, name, {"T1": (2, 8)}))


@pytest.fixture(scope="module")
def roomy_bistro(bistro: Bistro) -> Bistro:
    """The same with a second table, which is too large for two."""
    return replace(
        bistro, venue=_open(bistro.owner.api, f"{bistro.venue.slug}-2", {"T1": (2, 8), "T2": (7, 9)})
    )


def _open(api: Api, name: str, seats: dict[str, tuple[int, int]]) -> Venue:
    place = {
        "name": "Bistro",
        "slug": name,
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "address": "Paris",
    }
    venue = api.post("/v1/venues", place)["id"]
    base = f"/v1/venues/{venue}"
    tables = {}
    for table, (least, most) in seats.items():
        wanted = {"name": table, "kind": "table", "min_party": least, "max_party": most}
        tables[table] = api.post(f"{base}/resources", wanted)["id"]
    rule: dict[str, Any] = {"from_party": 6, "free_cancellation_hours": 24}
    dinner = {
        "name": "Dinner",
        "turn_times": [{"max_party": 8, "minutes": 120}],
        "deposit": rule | {"per_person": {"amount": 1000, "currency": "EUR"}},
        "slot_minutes": 60,
        "min_notice_minutes": 60,
        "max_advance_days": 90,
    }
    offering = api.post(f"{base}/offerings", dinner)["id"]
    shift = {"offering_id": offering, "opens": "19:00", "last_start": "20:00", "closes": "23:00"}
    api.post(f"{base}/shifts", shift | {"weekdays": [1, 2, 3, 4, 5, 6, 7]})
    return Venue(venue, name, offering, tables)


async def test_a_deposit_paid_in_the_instant_of_the_holds_end_confirms(bistro: Bistro) -> None:
    held = await bistro.hold()
    with bistro.payment_away():
        bistro.pay(held)
        await bistro.becomes(held, "expired")
    await bistro.becomes(held, "confirmed")
    await bistro.another_refund_passes()
    assert bistro.payment(held) == ("succeeded", 0)
    assert bistro.given_back(held) == []


async def test_an_expired_booking_that_finds_another_table_is_rescued_and_keeps_its_deposit(
    roomy_bistro: Bistro,
) -> None:
    bistro = roomy_bistro
    held = await bistro.hold()
    with bistro.webhooks_lost():
        bistro.pay(held)
        rival = await bistro.is_overtaken(held)
        await bistro.becomes(held, "confirmed")
    await bistro.another_refund_passes()
    assert bistro.status(rival) == "confirmed"
    assert bistro.status(held.booking) == "confirmed"
    assert bistro.payment(held) == ("succeeded", 0)
    assert bistro.given_back(held) == []
    wanted = [
        ("booking_confirmed", "sent"),
        ("booking_reminder", "scheduled"),
        ("payment_requested", "cancelled"),
    ]
    await eventually(lambda: bistro.mails(held) == wanted, timeout=_PATIENCE)
    (mail,) = bistro.sink.mails(held.email)
    assert mail["subject"].startswith("Confirmed")


async def test_a_deposit_paid_when_the_table_is_sold_goes_back_once(bistro: Bistro) -> None:
    held = await bistro.hold()
    with bistro.webhooks_lost():
        bistro.pay(held)
        rival = await bistro.is_overtaken(held)
        await eventually(lambda: bistro.payment(held) == ("refunded", DEPOSIT), timeout=_PATIENCE)
    await bistro.another_refund_passes()
    assert bistro.given_back(held) == [DEPOSIT]
    assert bistro.status(held.booking) == "expired"
    assert bistro.status(rival) == "confirmed"
    wanted = [("late_payment_refunded", "sent"), ("payment_requested", "cancelled")]
    await eventually(lambda: bistro.mails(held) == wanted, timeout=_PATIENCE)


async def test_a_deposit_paid_while_its_booking_is_called_off_goes_back_once(bistro: Bistro) -> None:
    held = await bistro.hold()
    with bistro.webhooks_lost():
        bistro.pay(held)
        assert bistro.api.post(f"/v1/manage/{held.manage_token}/cancel")["status"] == "cancelled"
        await eventually(lambda: bistro.payment(held) == ("refunded", DEPOSIT), timeout=_PATIENCE)
    await bistro.another_refund_passes()
    assert bistro.given_back(held) == [DEPOSIT]
    assert bistro.status(held.booking) == "cancelled"
    wanted = [
        ("booking_cancelled", "sent"),
        ("late_payment_refunded", "sent"),
        ("payment_requested", "cancelled"),
    ]
    await eventually(lambda: bistro.mails(held) == wanted, timeout=_PATIENCE)
    subjects = sorted(mail["subject"].partition(":")[0] for mail in bistro.sink.mails(held.email))
    assert subjects == ["Cancelled", "Your money goes back"]


async def test_a_hold_that_nobody_paid_cannot_be_paid_after_its_end(bistro: Bistro) -> None:
    held = await bistro.hold()
    await eventually(lambda: bistro.payment(held) == ("cancelled", 0), timeout=_PATIENCE)
    with pytest.raises(httpx.HTTPStatusError):
        bistro.pay(held)
    assert bistro.status(held.booking) == "expired"
