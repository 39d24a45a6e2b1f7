"""The live gateway against its own document: every check of schemathesis, a bounded number of examples."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.guest import Guest
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform

from .conftest import new_owner, new_restaurant
from .operating import Operator, new_operator

EXAMPLES = "5"  # for each operation, besides the several hundred that the coverage phase always has
_SETTINGS = """
[checks.positive_data_acceptance]
# What keeps to the document is granted, unless the caller may not (401, 403), it names what is not there
# (404), the state of things forbids it (409), the caller has read an older version (412) or says none (428),
# no state ever allows it (422, ADR 0016), or too many log-ins failed (429). Who has it already gets 304.
# Never 400: that would say that the document was broken.
expected-statuses = ["2xx", "304", "401", "403", "404", "409", "412", "422", "428", "429"]

[checks.negative_data_rejection]
# What breaks the document may as well name a version (If-Match) that never was: 412, too, grants nothing.
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "428", "429"]

[phases.stateful.inference]
# The other way of finding links reads the URLs in all answers, and dies of one that a fuzzed text made and
# Python cannot split ("https://[b9B5b]").
algorithms = ["dependency-analysis"]
"""
_SECRETS = """
[[operations]]
include-path-regex = "/(login|password|password/change|reauthenticate|refresh|sso/token)$"
# They read a secret in the body, and 401 is what every guess deserves: it says nothing about the token.
warnings = false
"""
_STREAMS = """
[[operations]]
include-path = "/v1/stream"
# Whoever may hear it gets an answer without an end, and schemathesis would wait for that.
enabled = false

[[operations]]
include-path = "/v1/auth/csrf"
# It reads a cookie of the session, and 401 is what every token without one deserves.
warnings = false
"""
_TWO_TENANTS = """
[auth.wfc]
path = "people.json"
# One tenant's object is asked for again in the name of the other.
peers = ["owner", "stranger"]

[warnings]
fail-on = ["missing_auth"]

[[operations]]
include-path-regex = "^/v1/platform/"
# Operators' own calls: a member's token opens none of them.
enabled = false

[[operations]]
include-path = "/v1/auth/logout"
# It would end the session that all other requests use.
enabled = false

[[operations]]
include-path = "/v1/auth/logout-all"
# So would this.
enabled = false

[[operations]]
include-path = "/v1/me/sessions/{session_id}"
# And this, once it learns the session's id from the list of them.
enabled = false
"""
_OPERATOR = """
[auth.wfc]
path = "people.json"

[warnings]
fail-on = ["missing_auth"]

[[operations]]
include-path-regex = "^/v1/(?!platform/)"
# Operators' own calls alone: their token opens no others.
enabled = false

[[operations]]
include-path-regex = "^/v1/platform/(auth/logout|me/sessions/.*|operators/.*)$"
# They would end the session that all other requests use: its own log-out, or that of its operator.
enabled = false
"""


@pytest.mark.timeout(2400)  # on a busy machine
def test_the_gateway_keeps_its_document_for_anybody(
    platform: Platform, api: Api, venue: Venue, tmp_path: Path
) -> None:
    settings = _SETTINGS + _shut_to_anybody(api) + _known_values(_what_there_is(api, venue))
    _run_every_check(platform, tmp_path, settings=settings)


@pytest.mark.timeout(2400)  # on a busy machine
def test_the_gateway_keeps_its_document_for_members(
    platform: Platform, api: Api, sink: Sink, tmp_path: Path
) -> None:
    # Tokens of their own: those of the other tests may be old by now.
    owner, stranger = new_owner(api, sink), new_owner(api, sink)
    _write_people(tmp_path / "people.json", {"owner": owner, "stranger": stranger})
    there_is = _what_there_is(api, new_restaurant(owner)) | {"path.organization_id": [owner.organization_id]}
    settings = _SETTINGS + _SECRETS + _STREAMS + _TWO_TENANTS + _known_values(there_is)
    _run_every_check(platform, tmp_path, settings=settings)


@pytest.mark.timeout(600)
def test_the_gateway_keeps_its_document_for_operators(
    platform: Platform, api: Api, sink: Sink, tmp_path: Path
) -> None:
    operator, owner = new_operator(platform, api), new_owner(api, sink)
    _write_people(tmp_path / "people.json", {"operator": operator})
    there_is = {"path.organization_id": [owner.organization_id]}
    _run_every_check(platform, tmp_path, settings=_SETTINGS + _SECRETS + _OPERATOR + _known_values(there_is))


def _run_every_check(platform: Platform, folder: Path, *, settings: str) -> None:
    (folder / "schemathesis.toml").write_text(settings, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{platform.gateway_url}/openapi.json",
        "--url",
        platform.gateway_url,
        "--checks",
        "all",
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--max-examples",
        EXAMPLES,
        "--seed",
        "7",
        "--generation-database",
        "none",
        "--suppress-health-check",
        "all",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout + done.stderr)  # pytest shows it when this fails
    assert done.returncode == 0


def _shut_to_anybody(api: Api) -> str:
    """Where anybody hears 401 whatever they send, the coverage of all that can be sent is for members."""
    operations = [
        operation
        for path in api.get("/openapi.json")["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and operation.get("security") and {} not in operation["security"]
    ]
    shut = [operation["operationId"] for operation in operations]
    return f"[[operations]]\ninclude-operation-id = {json.dumps(shut)}\nphases.coverage.enabled = false\n"


def _write_people(file: Path, people: Mapping[str, Owner | Operator]) -> None:
    """Who calls, as Web Fuzzing Commons writes it down."""
    auth = [
        {
            "name": name,
            "fixedHeaders": [{"name": "Authorization", "value": who.api.headers["authorization"]}],
        }
        for name, who in people.items()
    ]
    file.write_text(json.dumps({"auth": auth}), encoding="utf-8")


def _what_there_is(api: Api, venue: Venue) -> dict[str, Sequence[str]]:
    """Values that the document cannot know, by the parameters and fields that take them."""
    day = guests.next_service_day()
    starts = guests.search(api, venue, date=day, party_size=7)
    booked = guests.book(
        api,
        venue,
        start=guests.first_start(starts, hour=20),
        party_size=7,
        guest=Guest("Ada", "ada@guest.example"),
    )
    token = booked["manage_token"]
    ticket = api.post(f"/v1/manage/{token}/tickets", {"subject": "A chair", "text": "For a child."})
    return {
        "path.venue_id": [venue.id, venue.slug],
        "query.venue_id": [venue.id],
        "body.venue_id": [venue.id],
        "path.offering_id": [venue.offering_id],
        "query.offering_id": [venue.offering_id],
        "body.offering_id": [venue.offering_id],
        "query.date": [day],
        "body.start": [slot["start"] for slot in starts if slot["bookable"]],
        "body.time_zone": ["Europe/Paris", "Asia/Tokyo"],
        "body.currency": ["EUR", "JPY"],
        "path.booking_id": [booked["booking"]["id"]],
        "query.booking_id": [booked["booking"]["id"]],
        "path.payment_id": [booked["deposit_payment"]["payment_id"]],
        "path.token": [token],
        "path.ticket_id": [ticket["id"]],
    }


def _known_values(found: Mapping[str, Sequence[str]]) -> str:
    """Half of the values that are drawn for these places come from what there is."""
    lines: list[str] = []
    for place, values in found.items():
        name = "".join(letter if letter.isalnum() else "-" for letter in place)
        lines += [
            f"[dictionaries.{name}]",
            f"values = {json.dumps(values)}",
            f'[parameters."{place}"]',
            f'dictionary = "{name}"',
            "probability = 0.5",
        ]
    return "\n".join(lines) + "\n"
