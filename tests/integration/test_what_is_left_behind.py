"""After the main job and all storms: no person and no secret in logs, events, metrics, spans and tables.

Runs last. What is looked for comes from where it belongs: persons from their tables, tokens from the mails,
passwords and keys from the files of the platform; and from a visit here, which also makes many mistakes.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from devstack.demo import guest as guests
from devstack.demo import owner as owners
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from devstack.psql import PsqlFailed, run_sql
from testkit.authenticator import Authenticator
from testkit.overheard import Overheard

from . import sweep
from .conftest import MainJob, new_restaurant
from .sweep import PERSON, SECRET, Place, Planted


@dataclass(slots=True)
class Visit:
    """Somebody who says everything about themselves, everywhere, also where it is not wanted."""

    name: str = "Zephyrine Quillfeather"
    email: str = field(default_factory=lambda: f"zephyrine-{secrets.token_hex(6)}@guest.example")
    phone: str = field(default_factory=lambda: f"+3361{secrets.randbelow(10**7):07}")
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    words: str = field(default_factory=lambda: f"Allergic to {secrets.token_hex(6)}")
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def planted(self) -> set[Planted]:
        return {
            Planted(PERSON, "the visitor's name", self.name),
            Planted(PERSON, "the visitor's address", self.email),
            Planted(PERSON, "the visitor's telephone number", self.phone),
            Planted(PERSON, "the visitor's words", self.words),
            Planted(SECRET, "the visitor's password", self.password),
            *(Planted(SECRET, what, token) for what, token in self.tokens.items()),
        }


@pytest.fixture(scope="module")
def visit(platform: Platform, api: Api, sink: Sink, main_job: MainJob) -> Visit:
    """A whole life on the platform, after the main job."""
    visit = Visit()
    owner = owners.register(
        api, sink, email=visit.email, password=visit.password, organization="Quill and Daughters"
    )
    visit.tokens["an access token"] = owner.api.headers["authorization"].removeprefix("Bearer ")
    visit.tokens["a refresh token"] = owner.refresh_token
    _let_an_hour_pass(platform)
    _forget_the_password(api, sink, visit)
    _be_shown_secrets_once(owner, visit)
    endpoint = owner.api.post("/v1/webhook-endpoints", {"url": "http://127.0.0.1:9/hooks"})
    visit.tokens["a webhook secret"] = endpoint["secret"].removeprefix("whsec_")
    venue = new_restaurant(owner)
    paid = _book(api, venue, visit, party_size=7)
    visit.tokens["a client secret"] = paid["deposit_payment"]["client_secret"]
    guests.pay(platform.engines.stripe.url, visit.tokens["a client secret"])
    made = _book(api, venue, visit, party_size=2)
    visit.tokens["a manage token"] = made["manage_token"]
    link = f"/v1/manage/{made['manage_token']}"
    ticket = api.post(f"{link}/tickets", {"subject": visit.words, "text": visit.words})["id"]
    owner.api.post(f"/v1/tickets/{ticket}/messages", {"text": f"Noted: {visit.words}"})
    _err(owner.api, venue, visit, link)
    _be_refused_by_the_database(platform, visit)
    sink.wait_for_mail(visit.email, matching=f"Noted: {visit.words}")
    api.post(f"{link}/cancel")
    sink.wait_for_mail(visit.email, matching="Cancelled")
    return visit


def _let_an_hour_pass(platform: Platform) -> None:
    """As if others here had forgotten their passwords before that: a place may do so thrice in an hour."""
    auth = urlsplit(platform.engines.postgres_url)._replace(path="/auth").geturl()
    run_sql(auth, "UPDATE wish_counts SET ends_at = now() - interval '1 minute'")


def _forget_the_password(api: Api, sink: Sink, visit: Visit) -> None:
    """Asks for a link, follows it with a password that is refused, and goes on with the old one."""
    api.post("/v1/auth/password/forgot", {"email": visit.email})
    mail = sink.wait_for_mail(visit.email, matching="/reset-password")
    token = mail["text"].partition("/reset-password?token=")[2].split()[0]
    visit.tokens["a link's token to reset a password"] = token
    refused = api.request(
        "POST", "/v1/auth/password/reset", json={"token": token, "new_password": f"{visit.email} 2026"}
    )
    assert refused.status_code == 422


def _be_shown_secrets_once(owner: Owner, visit: Visit) -> None:
    """Has a key, an app, a passkey with its codes, and invites an address that holds the visitor's."""
    base, me = f"/v1/organizations/{owner.organization_id}", "/v1/me"
    wish = {"name": "Till", "permissions": ["bookings.read"]}
    visit.tokens["an API key"] = owner.api.post(f"{base}/api-keys", wish)["secret"].rpartition("_")[2]
    visit.tokens["the secret of an app"] = owner.api.post(f"{me}/totp")["secret"]
    phone = Authenticator(origin=f"http://localhost:{urlsplit(owner.api.url).port}")
    credential = phone.create(owner.api.post(f"{me}/passkey-options")["options"])
    added = owner.api.post(f"{me}/passkeys", {"name": "Phone", "credential": credential})
    visit.tokens["a recovery code"] = added["recovery_codes"][0]
    owner.api.post(f"{base}/invitations", {"email": f"with-{visit.email}", "role": "viewer"})


def _book(api: Api, venue: Venue, visit: Visit, *, party_size: int) -> Any:
    day = guests.next_service_day(days_ahead=10)
    slots = guests.search(api, venue, date=day, party_size=party_size)
    guest = {"name": visit.name, "email": visit.email, "phone": visit.phone, "language": "en"}
    wish = {"venue_id": venue.id, "offering_id": venue.offering_id, "party_size": party_size}
    return api.post("/v1/bookings", wish | {"start": guests.first_start(slots, hour=19), "guest": guest})


def _err(api: Api, venue: Venue, visit: Visit, link: str) -> None:
    """Every kind of mistake, with all that is personal or secret in it. Each is refused."""
    everything = {each.what: each.text for each in visit.planted}
    wish = {"venue_id": venue.id, "offering_id": visit.words, "guest": everything, "party_size": visit.phone}
    login = {"email": visit.email, "password": f"{visit.password}x"}
    account = login | {"password": visit.email, "display_name": visit.name, "organization_name": visit.name}
    access = visit.tokens["an access token"]
    mistakes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/bookings", {"json": wish}),
        ("POST", "/v1/bookings", {"content": f'{{"{visit.email}": {visit.phone}'}),
        ("POST", "/v1/bookings", {"json": everything, "headers": {"content-type": f"text/{visit.words}"}}),
        ("POST", "/v1/auth/login", {"json": login}),
        ("POST", "/v1/auth/register", {"json": account | {"language": visit.words}}),
        ("POST", "/v1/auth/refresh", {"json": {"refresh_token": f"{visit.tokens['a refresh token']}x"}}),
        ("POST", "/v1/auth/email/verify", {"json": {"token": visit.tokens["a refresh token"]}}),
        ("POST", "/v1/auth/password/forgot", {"json": {"email": f"{visit.email} {visit.phone}"}}),
        ("POST", "/v1/auth/password/reset", {"json": {"token": access, "new_password": visit.password}}),
        ("POST", "/v1/auth/email/confirm", {"json": {"token": visit.password}}),
        ("POST", "/hooks/stripe", {"json": everything, "headers": {"stripe-signature": access}}),
        ("GET", f"{link}x", {}),
        ("GET", f"/v1/{visit.email}/{visit.phone}", {}),
        ("GET", f"/v1/bookings/{visit.tokens['a manage token']}", {}),
        ("GET", "/v1/bookings", {"params": {"venue_id": visit.email, "date": visit.words}}),
        ("GET", "/v1/me", {"headers": {"authorization": f"Bearer {access}x"}}),
        ("GET", "/v1/me", {"headers": {"x-request-id": visit.email, "authorization": visit.password}}),
        ("GET", "/v1/me", {"headers": {"authorization": f"Bearer {visit.tokens['an API key']}"}}),
        ("POST", "/v1/auth/invitations/read", {"json": {"token": access}}),
        ("PUT", f"{link}/cancel", {"json": everything}),
    ]
    statuses = [api.request(method, path, **options).status_code for method, path, options in mistakes]
    assert [status for status in statuses if not 400 <= status < 500] == []


def _be_refused_by_the_database(platform: Platform, visit: Visit) -> None:
    """A constraint meets the address twice, as one of ours might: the server may log that, not with what."""
    script = (
        "\\getenv email VISITOR\n"
        "SELECT set_config('visit.email', :'email', false);"
        "CREATE TEMP TABLE visitors (email text CONSTRAINT visitors_once UNIQUE);"
        "INSERT INTO visitors SELECT current_setting('visit.email') FROM generate_series(1, 2);"
    )
    with pytest.raises(PsqlFailed, match=visit.email):
        run_sql(platform.engines.postgres_url, script, {"VISITOR": visit.email})


@pytest.fixture(scope="module")
async def planted(platform: Platform, visit: Visit) -> set[Planted]:
    """All that must not be found. The tests before are among it, unless this module runs alone."""
    found = visit.planted | sweep.secrets(platform) | await sweep.people(platform)
    whats = {each.what for each in found}
    assert {"an address", "a name", "a telephone number", "a link's token", "a client secret"} <= whats
    return found


@pytest.fixture(scope="module")
async def places(platform: Platform, sink: Sink, visit: Visit) -> dict[str, list[Place]]:
    """All that is left behind."""
    return await sweep.places(platform, sink)


@pytest.mark.parametrize("kind", sweep.KINDS)
async def test_no_person_and_no_secret_is_left_behind(
    kind: str, places: dict[str, list[Place]], planted: set[Planted]
) -> None:
    assert sweep.find(planted, places[kind]) == set()


@pytest.mark.parametrize("kind", sweep.KINDS)
async def test_no_secret_that_any_test_sent_or_was_shown_is_left_behind(
    kind: str, places: dict[str, list[Place]], overheard: Overheard
) -> None:
    found = {
        f"{what} in {place.name}" for place in places[kind] for what in overheard.found_in(place.content)
    }
    assert found == set()


async def test_the_control_secrets_were_heard_and_would_be_found(
    places: dict[str, list[Place]], overheard: Overheard, visit: Visit
) -> None:
    heard = set(overheard.secrets.values())
    assert {"password", "access_token", "refresh_token", "manage_token", "secret", "client_secret"} <= heard
    logs = places["logs"][0].content
    leak = logs + b'{"token": "' + visit.tokens["a manage token"].encode() + b'"}'
    assert overheard.found_in(leak)
    assert overheard.found_in(logs) == set()


@pytest.mark.parametrize("kind", ["logs", "events", "metrics", "spans"])
async def test_nothing_has_the_form_of_an_address_or_a_secret(
    kind: str, places: dict[str, list[Place]]
) -> None:
    assert sweep.find_forms(places[kind]) == set()


@pytest.mark.parametrize(
    ("kind", "place", "there"),
    [
        ("logs", "logs/payment.log", '"event":"started"'),
        ("logs", "logs/gateway.log", '"event":"serving"'),
        ("logs", "logs/gateway.log", '"reason":"UNAUTHENTICATED"'),
        ("logs", "logs/auth.log", '"reason":"INVALID_CREDENTIALS"'),
        ("logs of engines", "logs/postgres.log", "visitors_once"),
        ("tables", "booking.outbox", "bkg_"),
        ("tables", "notification.timers", "booking_reminder"),
        ("events", "kafka comptoir.booking.v1", "comptoir.booking.v1.BookingConfirmed"),
        ("metrics", "metrics of gateway", "comptoir_http_requests_total"),
        ("spans", "spans", "comptoir.booking.v1"),
    ],
)
async def test_the_sweep_sees_what_is_there(
    kind: str, place: str, there: str, places: dict[str, list[Place]], visit: Visit
) -> None:
    """The control: what must be in a place is found in it, and so would be what must not."""
    assert f"a marker in {place}" in sweep.find([Planted(SECRET, "a marker", there)], places[kind])
    leak = Place(place, places[kind][0].content + visit.email.encode())
    assert sweep.find(visit.planted, [leak]) == {f"the visitor's address in {place}"}
    assert sweep.find_forms([leak]) == {f"an e-mail address in {place}"}


async def test_persons_and_secrets_are_where_they_belong(
    places: dict[str, list[Place]], visit: Visit
) -> None:
    """The control of the other side: the visit has told the platform everything."""
    homes = [Place("anywhere", place.content) for place in places["tables"] if place.name in sweep.HOLDERS]
    persons = {each for each in visit.planted if each.kind == PERSON}
    assert sweep.find(persons, homes) == {f"{each.what} in anywhere" for each in persons}
