"""A guest: looks for a time, books, pays as the browser would, and keeps the link of the mail."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from devstack.demo.api import Api, Failed, check
from devstack.demo.owner import Venue

_CLOSED_WEEKDAY = 1
_MANAGE_LINK = re.compile(r"/manage/([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Guest:
    """Who comes."""

    name: str
    email: str
    language: str = "en"

    @property
    def body(self) -> dict[str, str]:
        """As the API wants it."""
        return {"name": self.name, "email": self.email, "language": self.language}


def next_service_day(*, days_ahead: int = 3) -> str:
    """A day on which Chez Paulette is open, at least so many days from today."""
    day = datetime.now(UTC).date() + timedelta(days=days_ahead)
    if day.isoweekday() == _CLOSED_WEEKDAY:
        day += timedelta(days=1)
    return day.isoformat()


def search(api: Api, venue: Venue, *, date: str, party_size: int) -> list[dict[str, Any]]:
    """The starts of a day, each bookable or with its reason."""
    path = f"/v1/venues/{venue.slug}/availability"
    slots: list[dict[str, Any]] = api.get(path, date=date, party_size=party_size)["slots"]
    return slots


def first_start(slots: Sequence[Mapping[str, Any]], *, hour: int) -> str:
    """The first bookable start not before `hour` of the venue's clock. Raises Failed when there is none."""
    bookable: list[str] = [slot["start"] for slot in slots if slot["bookable"]]
    late = [start for start in bookable if datetime.fromisoformat(start).hour >= hour]
    check(
        late, f"a bookable start from {hour}:00 on was expected; bookable are {', '.join(bookable) or 'none'}"
    )
    return late[0]


def book(
    api: Api, venue: Venue, *, start: str, party_size: int, guest: Guest, key: str | None = None
) -> dict[str, Any]:
    """Books a start. Raises Refused."""
    wish = {
        "venue_id": venue.id,
        "offering_id": venue.offering_id,
        "start": start,
        "party_size": party_size,
        "guest": guest.body,
    }
    booked: dict[str, Any] = api.post("/v1/bookings", wish, key=key)
    return booked


def pay(stripe_url: str, client_secret: str, *, card: str = "4242424242424242") -> None:
    """Does with the Stripe stand-in what Stripe's script does in a browser: a card, and the confirmation."""
    intent = client_secret.partition("_secret_")[0]
    # The stand-in takes any secret key; the real one would take the publishable key with the client secret.
    with httpx.Client(base_url=stripe_url, auth=("sk_test_browser", ""), timeout=15) as stripe:
        expiry = {"card[exp_month]": "12", "card[exp_year]": "2040", "card[cvc]": "123"}
        form = {"type": "card", "card[number]": card, **expiry}
        method = stripe.post("/v1/payment_methods", data=form).raise_for_status().json()["id"]
        chosen = {"payment_method": method}
        stripe.post(f"/v1/payment_intents/{intent}", data=chosen).raise_for_status()
        stripe.post(f"/v1/payment_intents/{intent}/confirm").raise_for_status()


def manage_token(mail: dict[str, Any]) -> str:
    """The secret of the link in a mail."""
    link = _MANAGE_LINK.search(mail["text"])
    if link is None:
        raise Failed("the mail holds no manage link")
    return link[1]
