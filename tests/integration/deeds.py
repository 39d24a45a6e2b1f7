"""Deeds that have an effect far away: how each is prepared, done, and seen to have had its effect once."""

import secrets
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, ClassVar

from devstack.demo import guest as guests
from devstack.demo.api import Refused
from devstack.demo.guest import Guest
from devstack.demo.owner import Venue

from .conftest import new_restaurant
from .money import read_books
from .scene import Scene

DEPOSIT = 7000


class Deed(ABC):
    """Done by somebody new each time, so that whatever carries their address is of this deed."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.email = f"deed-{secrets.token_hex(6)}@guest.example"
        self.stripe = scene.platform.engines.stripe.url

    def prepare(self) -> None:  # noqa: B027  # most need nothing
        """What must stand before."""

    @abstractmethod
    def do(self) -> None:
        """What is met by the kill."""

    @abstractmethod
    def assert_once(self) -> None:
        """Raises AssertionError while the effect is not there, or not there once."""

    def mails(self) -> list[str]:
        """The subjects that came, up to the colon."""
        return [mail["subject"].partition(":")[0] for mail in self.scene.sink.mails(self.email)]


class Stay(Deed):
    """Two people book: confirmed at once, mailed, and told to the partner."""

    size: ClassVar[int] = 2

    def do(self) -> None:
        self.book(self.scene.venue)

    def book(self, venue: Venue) -> dict[str, Any]:
        """At any time of any day; `self.booking` is its id."""
        day = guests.next_service_day(days_ahead=20 + secrets.randbelow(60))
        slots = guests.search(self.scene.api, venue, date=day, party_size=self.size)
        start = secrets.choice([slot["start"] for slot in slots if slot["bookable"]])
        guest = Guest("Deedful", self.email)
        made = guests.book(self.scene.api, venue, start=start, party_size=self.size, guest=guest)
        self.booking: str = made["booking"]["id"]
        return made

    def told(self) -> Counter[str]:
        """What the partner was told of the booking."""
        return Counter(self.scene.partner.types(self.booking))

    def status(self) -> str:
        """How staff see the booking."""
        return str(self.scene.owner.api.get(f"/v1/bookings/{self.booking}")["status"])

    def assert_once(self) -> None:
        assert self.status() == "confirmed"
        assert self.told() == {"booking.confirmed": 1}
        assert self.mails() == ["Confirmed"]


class CountedStay(Stay):
    """The same in a new restaurant, whose owner reads the numbers."""

    def prepare(self) -> None:
        self.venue = new_restaurant(self.scene.owner)

    def do(self) -> None:
        self.book(self.venue)

    def assert_once(self) -> None:
        super().assert_once()
        try:
            found = self.scene.owner.api.get("/v1/analytics/overview", venue_id=self.venue.id)["activity"]
        except Refused as refusal:
            raise AssertionError("analytics does not know the restaurant yet") from refusal
        assert (found["bookings"], found["covers"]) == (1, 2)


class Deposit(Stay):
    """Seven people hold a table, and pay."""

    size: ClassVar[int] = 7

    def prepare(self) -> None:
        self.before = read_books(self.stripe)
        self.secret = self.book(self.scene.venue)["deposit_payment"]["client_secret"]

    def do(self) -> None:
        guests.pay(self.stripe, self.secret)

    @property
    def charge(self) -> tuple[str, int]:
        """What the provider is to have in its books."""
        return self.secret.partition("_secret_")[0], DEPOSIT

    def assert_once(self) -> None:
        assert self.status() == "confirmed"
        assert self.told() == {"booking.held": 1, "payment.succeeded": 1, "booking.confirmed": 1}
        assert self.mails() == ["Confirmed"]
        come = read_books(self.stripe).since(self.before)
        assert (come.charges, come.refunds) == ({self.charge: 1}, {})


class Refund(Deposit):
    """They have paid, and cancel in time."""

    def prepare(self) -> None:
        super().prepare()
        guests.pay(self.stripe, self.secret)

    def do(self) -> None:
        self.scene.owner.api.post(f"/v1/bookings/{self.booking}/cancel")

    def assert_once(self) -> None:
        assert self.status() == "cancelled"
        told = self.told()
        assert told["booking.cancelled"] == 1
        assert told["payment.refunded"] == 1
        assert self.mails().count("Cancelled") == 1
        come = read_books(self.stripe).since(self.before)
        assert (come.charges, come.refunds) == ({self.charge: 1}, {self.charge: 1})


class Answer(Stay):
    """Staff answer a question about a booking: mailed, and told to the partner."""

    def prepare(self) -> None:
        link = f"/v1/manage/{self.book(self.scene.venue)['manage_token']}/tickets"
        self.ticket = self.scene.api.post(link, {"subject": "A cake", "text": "May we bring one?"})["id"]

    def do(self) -> None:
        self.scene.owner.api.post(f"/v1/tickets/{self.ticket}/messages", {"text": "You may."})

    def assert_once(self) -> None:
        assert self.told() == {"booking.confirmed": 1, "ticket.opened": 1, "ticket.answered": 1}
        assert sorted(self.mails()) == ["Chez Paulette has answered", "Confirmed"]


class Registration(Deed):
    """Somebody wants an account, and is sent a link."""

    def do(self) -> None:
        wish = {"email": self.email, "password": secrets.token_urlsafe(18), "display_name": "Deedful"}
        self.scene.api.post("/v1/auth/register", wish | {"organization_name": "Deeds", "language": "en"})

    def assert_once(self) -> None:
        assert self.mails() == ["Confirm your e-mail address"]
