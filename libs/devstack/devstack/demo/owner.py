"""An owner: registers, verifies, and opens the restaurant Chez Paulette."""

import re
from dataclasses import dataclass

from devstack.demo.api import Api, Failed, Sink

_TUESDAY_TO_THURSDAY_AND_SUNDAY = [2, 3, 4, 7]
_FRIDAY_AND_SATURDAY = [5, 6]
# Name, smallest and largest party.
_TABLES = [
    ("T1", 1, 2), ("T2", 1, 2), ("T3", 2, 4), ("T4", 2, 4),
    ("T5", 2, 4), ("T6", 4, 6), ("T7", 1, 2), ("T8", 2, 4),
]  # fmt: skip
_SALLE = 6  # the first six tables stand inside


@dataclass(frozen=True, slots=True)
class Owner:
    """A verified owner who is logged in."""

    api: Api
    email: str
    organization_id: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Venue:
    """An open restaurant."""

    id: str
    slug: str
    offering_id: str
    tables: dict[str, str]
    """Name → resource id."""


def register(api: Api, sink: Sink, *, email: str, password: str, organization: str) -> Owner:
    """Registers, follows the link of the mail, and logs in."""
    api.post(
        "/v1/auth/register",
        {
            "email": email,
            "password": password,
            "display_name": "Paulette",
            "organization_name": organization,
            "language": "fr",
        },
    )
    mail = sink.wait_for_mail(email, matching="verify-email")
    link = re.search(r"/verify-email\?token=([A-Za-z0-9_-]+)", mail["text"])
    if link is None:
        raise Failed("the mail holds no verification link")
    verified = api.post("/v1/auth/email/verify", {"token": link[1]})
    return log_in(api, email=email, password=password, organization_id=verified["organization_id"])


def log_in(api: Api, *, email: str, password: str, organization_id: str = "") -> Owner:
    """Opens a session."""
    tokens = api.post("/v1/auth/login", {"email": email, "password": password})["tokens"]
    member = api.as_member(tokens["access_token"])
    organization = organization_id or member.get("/v1/me")["organization_id"]
    return Owner(member, email, organization, tokens["refresh_token"])


def open_chez_paulette(owner: Owner, *, slug: str) -> Venue:
    """The venue with two areas, eight tables, two combinations, dinner with its deposit, and its shifts."""
    api = owner.api
    venue = api.post(
        "/v1/venues",
        {
            "name": "Chez Paulette",
            "slug": slug,
            "time_zone": "Europe/Paris",
            "currency": "EUR",
            "address": "12 rue des Martyrs, 75009 Paris",
        },
    )["id"]
    base = f"/v1/venues/{venue}"
    inside = api.post(f"{base}/areas", {"name": "Salle"})["id"]
    terrace = api.post(f"{base}/areas", {"name": "Terrasse"})["id"]
    tables = {}
    for number, (name, least, most) in enumerate(_TABLES):
        area = inside if number < _SALLE else terrace
        table = {"name": name, "kind": "table", "min_party": least, "max_party": most, "area_id": area}
        tables[name] = api.post(f"{base}/resources", table)["id"]
    for first, second, least, most in (("T3", "T4", 5, 8), ("T5", "T6", 7, 10)):
        combination = {
            "name": f"{first}+{second}",
            "resource_ids": [tables[first], tables[second]],
            "min_party": least,
            "max_party": most,
        }
        api.post(f"{base}/combinations", combination)
    offering = _add_dinner(api, base)
    return Venue(venue, slug, offering, tables)


def _add_dinner(api: Api, base: str) -> str:
    dinner = {
        "name": "Dinner",
        "turn_times": [
            {"max_party": 2, "minutes": 90},
            {"max_party": 4, "minutes": 120},
            {"max_party": 10, "minutes": 150},
        ],
        "deposit": {
            "from_party": 6,
            "per_person": {"amount": 1000, "currency": "EUR"},
            "free_cancellation_hours": 24,
        },
        "slot_minutes": 15,
        "min_notice_minutes": 60,
        "max_advance_days": 90,
    }
    offering: str = api.post(f"{base}/offerings", dinner)["id"]
    shift = {"offering_id": offering, "opens": "19:00", "last_start": "22:00"}
    api.post(f"{base}/shifts", shift | {"weekdays": _TUESDAY_TO_THURSDAY_AND_SUNDAY, "closes": "23:30"})
    api.post(f"{base}/shifts", shift | {"weekdays": _FRIDAY_AND_SATURDAY, "closes": "00:30"})
    return offering
