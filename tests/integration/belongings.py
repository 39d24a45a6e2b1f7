"""One thing of every kind that an organization has, and a body that is valid for each RPC that names one."""

import re
import secrets
from typing import Any
from urllib.parse import urlsplit

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from servicekit.api_versions import NEWEST
from testkit.authenticator import Authenticator

_DAY = "2030-01-01"
_EVENING = {"start": f"{_DAY}T19:00:00+01:00", "end": f"{_DAY}T20:00:00+01:00"}
_DAYS = {"from": _DAY, "to": _DAY}
_SHIFT = {"weekdays": [1], "opens": "10:00", "last_start": "11:00", "closes": "12:00"}
_TABLE = {"name": "Stolen", "min_party": 1, "max_party": 2}
_TWO = {"name": "Stolen", "resource_ids": ["res_0", "res_1"], "min_party": 1, "max_party": 2}
_TURNS = {"turn_times": [{"max_party": 2, "minutes": 60}]}
_PACING = {"interval_minutes": 30, "max_covers": 1000}
_CLOSED = {"first_date": _DAY, "last_date": _DAY}
_STOLEN = Guest("Stolen", "stolen@guest.example").body
_ROLE = {"name": "Stolen", "permissions": ["bookings.read"]}
_INVITED = {"email": "stolen@guest.example", "role": "viewer"}
_PROVIDER = {
    "settings": {
        "name": "Stolen", "issuer": "https://login.example", "client_id": "us", "default_role": "viewer",
    },
    "client_secret": "a secret of ours",
}  # fmt: skip

VALID: dict[str, dict[str, Any]] = {
    "AnswerTicket": {"text": "Stolen"},
    "AssignBooking": {"resource_ids": ["res_0"]},
    "CancelSeries": {"scope": "all"},
    "ChangeSeries": {"scope": "all", "party_size": 1},
    "CreateApiKey": _ROLE,
    "CreateArea": {"name": "Stolen"},
    "CreateBlock": _EVENING,
    "CreateClosure": _CLOSED,
    "CreateCombination": _TWO,
    "CreateConnection": _PROVIDER,
    "CreateDateException": {"service_date": _DAY},
    "CreateInvitation": _INVITED,
    "CreateOrigin": {"origin": "https://www.stolen.example"},
    "CreateOffering": {"name": "Stolen", **_TURNS},
    "CreatePacingRule": _PACING,
    "CreatePrivacyRequest": {"kind": "export", "email": "stolen@guest.example"},
    "CreateResource": {"kind": "table", **_TABLE},
    "CreateRole": _ROLE,
    "CreateSeries": {
        "rule": "FREQ=WEEKLY;COUNT=1", "first_start": f"{_DAY}T19:00", "party_size": 2, "guest": _STOLEN,
    },
    "CreateShift": _SHIFT,
    "CreateWebDomain": {"domain": "book.stolen.example"},
    "CreateWalkIn": {"party_size": 2},
    "DelayBooking": {"late_minutes": 5},
    "ListBlocks": _DAYS,
    "ListBookings": {"date": _DAY},
    "ListClosures": _DAYS,
    "ListDateExceptions": _DAYS,
    "ListNamesOfNumber": {"phone": "+33612345678"},
    "ListStrandedBookings": _DAYS,
    "ListWaitlist": {"date": _DAY},
    "MoveBooking": {"start": f"{_DAY}T20:00:00+01:00"},
    "RaiseApiKeyVersion": {"version": NEWEST},
    "RenamePasskey": {"name": "Stolen"},
    "UpdateClosure": _CLOSED,
    "UpdateCombination": _TWO,
    "UpdateConnection": _PROVIDER,
    "UpdateMember": {"role": "viewer"},
    "UpdateOfferingTerms": {"name": "Stolen"},
    "UpdateOfferingTimes": {"slot_minutes": 15},
    "UpdateOfferingVisit": _TURNS,
    "UpdateOrganization": {"name": "Stolen"},
    "UpdatePacingRule": _PACING,
    "UpdateResource": _TABLE,
    "UpdateRetention": {
        "guest_days": 1, "wish_days": 1, "ticket_days": 1, "mail_days": 1, "delivery_days": 1,
    },
    "UpdateRole": _ROLE,
    "UpdateShift": _SHIFT,
    "UpdateTheme": {"background": "#ffffff", "text": "#000000", "accent": "#000000"},
    "UpdateVenue": {"address": "Stolen"},
}  # fmt: skip
"""By RPC; of the others an empty body is valid."""


def one_of_each(api: Api, sink: Sink, owner: Owner, password: str, venue: Venue) -> dict[str, str]:
    """The name of an id in requests → such a thing of the organization, at the venue that it has.

    The owner has a passkey afterwards: whoever logs in with the password alone is asked for it.
    """
    booked = _booked(api, venue, party_size=2, guest=Guest("Theirs", "theirs@guest.example"))
    large = _booked(api, venue, party_size=7, guest=Guest("Large", "large@guest.example"))
    ticket = api.post(f"/v1/manage/{booked['manage_token']}/tickets", {"subject": "Theirs", "text": "Hello"})
    endpoint = owner.api.post("/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hooks"})
    return {
        "venue_id": venue.id,
        "offering_id": venue.offering_id,
        "resource_id": venue.tables["T1"],
        "booking_id": booked["booking"]["id"],
        "other_booking_id": large["booking"]["id"],
        "ticket_id": ticket["id"],
        "payment_id": large["deposit_payment"]["payment_id"],
        "endpoint_id": endpoint["endpoint"]["id"],
        **_of_venue(owner, venue),
        **_asked_for(api, owner, venue),
        **_of_organization(api, sink, owner),
        **_of_person(api, owner, password),
    }


def _of_venue(owner: Owner, venue: Venue) -> dict[str, str]:
    base, api = f"/v1/venues/{venue.id}", owner.api
    dinner = {"offering_id": venue.offering_id}
    return {
        "area_id": api.get(f"{base}/areas")["items"][0]["id"],
        "combination_id": api.get(f"{base}/combinations")["items"][0]["id"],
        "shift_id": api.get(f"{base}/shifts")["items"][0]["id"],
        "rule_id": api.post(f"{base}/pacing-rules", _PACING)["rule"]["id"],
        "exception_id": api.post(f"{base}/exceptions", dinner | {"service_date": _DAY})["exception"]["id"],
        "closure_id": api.post(f"{base}/closures", _CLOSED)["closure"]["id"],
        "block_id": api.post(f"{base}/blocks", _EVENING)["block"]["id"],
    }


def _asked_for(api: Api, owner: Owner, venue: Venue) -> dict[str, str]:
    day = guests.next_service_day(days_ahead=30)
    theirs = Guest("Theirs", "theirs@guest.example")
    wish = {"offering_id": venue.offering_id, "guest": theirs.body}
    series = {"rule": "FREQ=WEEKLY;COUNT=1", "first_start": f"{day}T19:00", "party_size": 2}
    # Ten have one place only, so the second ten wait.
    start = _booked(api, venue, party_size=10, guest=theirs)["booking"]["start"]
    waiting = {"venue_id": venue.id, "party_size": 10, "date": start[:10], "earliest": start[11:16]}
    return {
        "series_id": owner.api.post(f"/v1/venues/{venue.id}/series", wish | series)["id"],
        "entry_id": api.post("/v1/waitlist", wish | waiting | {"latest": start[11:16]})["entry"]["id"],
    }


def _booked(api: Api, venue: Venue, *, party_size: int, guest: Guest) -> dict[str, Any]:
    day = guests.next_service_day(days_ahead=9)
    slots = guests.search(api, venue, date=day, party_size=party_size)
    start = next(slot["start"] for slot in slots if slot["bookable"])
    return guests.book(api, venue, start=start, party_size=party_size, guest=guest)


def _of_organization(api: Api, sink: Sink, owner: Owner) -> dict[str, str]:
    base, told = f"/v1/organizations/{owner.organization_id}", owner.api
    joined = f"member-{secrets.token_hex(4)}@demo.example"
    told.post(f"{base}/invitations", _INVITED | {"email": joined})
    mail = sink.wait_for_mail(joined, matching="/invitation")
    link = re.search(r"/invitation\?token=([A-Za-z0-9_-]+)", mail["text"])
    assert link is not None
    member = {"password": secrets.token_urlsafe(18), "display_name": "Theirs"}
    api.post("/v1/auth/invitations/join", member | {"token": link[1]})
    members = {each["email"]: each["user_id"] for each in told.get(f"{base}/members")["items"]}
    open_one = told.post(f"{base}/invitations", _INVITED | {"email": f"open-{joined}"})
    key = told.post(f"{base}/api-keys", _ROLE | {"name": "Theirs"})
    return {
        "organization_id": owner.organization_id,
        "user_id": members[joined],
        "invitation_id": open_one["invitation"]["id"],
        "role_id": told.post(f"{base}/roles", _ROLE | {"name": "Theirs"})["role"]["id"],
        "key_id": key["key"]["id"],
        "origin_id": told.post(f"{base}/origins", {"origin": "https://www.theirs.example"})["id"],
        "domain_id": told.post(f"{base}/domains", {"domain": f"{secrets.token_hex(4)}.theirs.example"})["id"],
        "connection_id": told.post(f"{base}/sso-connections", _PROVIDER)["connection"]["id"],
        "request_id": told.post(f"{base}/privacy-requests", VALID["CreatePrivacyRequest"])["id"],
    }


def _of_person(api: Api, owner: Owner, password: str) -> dict[str, str]:
    """A passkey of the owner, and a device that is remembered after a log-in with it."""
    me = "/v1/me"
    phone = Authenticator(origin=f"http://localhost:{urlsplit(api.url).port}")
    credential = phone.create(owner.api.post(f"{me}/passkey-options")["options"])
    passkey = owner.api.post(f"{me}/passkeys", {"name": "Theirs", "credential": credential})["passkey"]
    challenge = api.post("/v1/auth/login", {"email": owner.email, "password": password})["challenge"]
    answer = {"passkey": phone.use(api.post("/v1/auth/passkeys/options")["options"]), "remember_device": True}
    api.post("/v1/auth/challenge", answer | {"challenge": challenge["token"]})
    return {
        "session_id": owner.api.get(f"{me}/sessions")["items"][0]["id"],
        "passkey_id": passkey["id"],
        # Nobody has one without a provider; that another's is not found is proved in services/auth.
        "identity_id": f"idn_{passkey['id'].partition('_')[2]}",
        "device_id": owner.api.get(f"{me}/remembered-devices")["items"][0]["id"],
        "export_id": owner.api.post(f"{me}/data-exports")["id"],
    }
