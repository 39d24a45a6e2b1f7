"""The main job with the Python client: a restaurant opens, a party books with a deposit, pays, and cancels.

Needs a platform with its stand-ins (`make up`) at COMPTOIR_URL, SINK_URL (mails) and STRIPE_URL (payments).
"""

import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx

from comptoir_client import Comptoir, Problem, every, models

T = TypeVar("T")

_SECONDS = 60.0
_PAUSE = 0.2
_PARTY = 7


class Mails:
    """The stand-in that takes all mails."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=15)

    def secret(self, to: str, pattern: str) -> str:
        """What `pattern` finds in a mail to that address, as soon as there is one."""
        return wait_for(pattern, lambda: self._find(to, pattern))

    def _find(self, to: str, pattern: str) -> str | None:
        for mail in self._http.get("/mails", params={"to": to}).raise_for_status().json():
            text = self._http.get(f"/mails/{mail['id']}").raise_for_status().json()["text"]
            if found := re.search(pattern, text):
                return found[1]
        return None


def wait_for(what: str, probe: Callable[[], T | None]) -> T:
    """The first answer of `probe` that is something. Raises TimeoutError after a minute."""
    limit = time.monotonic() + _SECONDS
    while time.monotonic() < limit:
        found = probe()
        if found:
            return found
        time.sleep(_PAUSE)
    raise TimeoutError(what)


def register(anybody: Comptoir, mails: Mails, name: str) -> Comptoir:
    """Registers, follows the link of the mail, and logs in."""
    email, password = f"owner-{name}@demo.example", secrets.token_urlsafe(18)
    anybody.register(
        {
            "email": email,
            "password": password,
            "display_name": "Paulette",
            "organization_name": f"Chez Paulette {name}",
        }
    )
    anybody.verify_email({"token": mails.secret(email, r"/verify-email\?token=([A-Za-z0-9_-]+)")})
    return anybody.with_token(
        anybody.log_in({"email": email, "password": password})["tokens"]["access_token"]
    )


def open_restaurant(owner: Comptoir, name: str) -> tuple[models.Venue, models.Offering]:
    """Two tables, and dinner every day, with a deposit from six people on."""
    venue = owner.create_venue(
        {"name": "Chez Paulette", "slug": f"paulette-{name}", "time_zone": "Europe/Paris", "currency": "EUR"}
    )
    for table, least, most in (("T1", 1, 4), ("T2", 5, 8)):
        owner.create_resource(
            venue["id"], {"name": table, "kind": "table", "min_party": least, "max_party": most}
        )
    dinner = owner.create_offering(
        venue["id"],
        {
            "name": "Dinner",
            "turn_times": [{"max_party": 8, "minutes": 120}],
            "deposit": {
                "from_party": 6,
                "per_person": {"amount": 1000, "currency": "EUR"},
                "free_cancellation_hours": 24,
            },
            "slot_minutes": 15,
            "min_notice_minutes": 60,
            "max_advance_days": 90,
        },
    )
    owner.create_shift(
        venue["id"],
        {
            "offering_id": dinner["id"],
            "weekdays": [1, 2, 3, 4, 5, 6, 7],
            "opens": "19:00",
            "last_start": "21:00",
            "closes": "23:30",
        },
    )
    return venue, dinner


def pay(stripe_url: str, client_secret: str) -> None:
    """Does what Stripe's script does in a browser."""
    intent = client_secret.partition("_secret_")[0]
    with httpx.Client(base_url=stripe_url, auth=("sk_test_browser", ""), timeout=15) as stripe:
        card = {"card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2040"}
        form = {"type": "card", **card, "card[cvc]": "123"}
        method = stripe.post("/v1/payment_methods", data=form).raise_for_status().json()["id"]
        chosen = {"payment_method": method}
        stripe.post(f"/v1/payment_intents/{intent}", data=chosen).raise_for_status()
        stripe.post(f"/v1/payment_intents/{intent}/confirm").raise_for_status()


def refusal(call: Callable[[], object]) -> str:
    """Why a call is refused."""
    try:
        call()
    except Problem as problem:
        return problem.reason
    return "NOT_REFUSED"


def tell(anybody: Comptoir, mails: Mails, stripe_url: str) -> dict[str, object]:
    """What happened, for whoever checks it."""
    name = secrets.token_hex(4)
    owner = register(anybody, mails, name)
    venue, dinner = open_restaurant(owner, name)
    day = (datetime.now(UTC).date() + timedelta(days=3)).isoformat()
    slots = anybody.search_availability(venue["slug"], date=day, party_size=_PARTY)["slots"]
    start = next(slot["start"] for slot in slots if slot["bookable"])
    wish: models.CreateBookingRequest = {
        "venue_id": venue["id"],
        "offering_id": dinner["id"],
        "start": start,
        "party_size": _PARTY,
        "guest": {"name": "James Smith", "email": f"guest-{name}@guest.example", "language": "en"},
    }
    key = secrets.token_hex(16)
    held = anybody.create_booking(wish, idempotency_key=key)
    again = anybody.create_booking(wish, idempotency_key=key)
    booking = held["booking"]["id"]
    pay(stripe_url, held["deposit_payment"]["client_secret"])
    wait_for("the payment", lambda: owner.get_booking(booking).get("status") == "confirmed")
    link = mails.secret(f"guest-{name}@guest.example", r"/manage/([A-Za-z0-9_-]+)")
    managed = anybody.get_managed_booking(link)
    cancelled = anybody.cancel_managed_booking(link)
    tables = every(lambda token: owner.list_resources(venue["id"], page_size=1, page_token=token))
    return {
        "starts": len(slots),
        "held": held["booking"]["status"],
        "deposit": held["deposit_payment"]["amount"]["amount"],
        "booked_once": again["booking"]["id"] == booking,
        "managed": managed["booking"]["id"] == booking and managed["booking"]["status"],
        "cancelled": cancelled["status"],
        "tables": [table["name"] for table in tables],
        "bookings": [
            each["id"] == booking for each in owner.list_bookings(venue_id=venue["id"], date=day)["items"]
        ],
        "another_wish": refusal(
            lambda: anybody.create_booking({**wish, "party_size": 6}, idempotency_key=key)
        ),
        "no_link": refusal(lambda: anybody.get_managed_booking("a" * 43)),
    }


def main() -> None:
    """Prints what happened as JSON."""
    with Comptoir(os.environ["COMPTOIR_URL"]) as anybody:
        happened = tell(anybody, Mails(os.environ["SINK_URL"]), os.environ["STRIPE_URL"])
    json.dump(happened, sys.stdout)


if __name__ == "__main__":
    main()
