"""What the document shows beside schemas: examples that keep to them, reasons, security, webhooks."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from gateway.openapi.examples import Examples, NoExample
from gateway.openapi.samples import typed_id
from gateway.openapi.webhooks import webhooks
from gateway.routes import routes
from notification import events as notifications
from servicekit import contract, ids
from servicekit.api_versions import HEADER, NEWEST
from servicekit.events import Event

from .test_openapi import CATALOGUE, DOCUMENT, operations

COMPONENTS = DOCUMENT["components"]
_CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER
_MEDIA = "application/json"
BEFORE_ANY_OPERATION = {"405", "431"}
"""No route with the method, and a head too large: no operation answers them."""


def refuse_misfit(value: Any, schema: dict[str, Any]) -> None:
    """Raises ValidationError for an example that does not keep to its schema."""
    whole = schema | {"components": COMPONENTS}
    jsonschema.Draft202012Validator(whole, format_checker=_CHECKER).validate(value)


def success(operation: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each for status, each in operation["responses"].items() if status.startswith("2")]
    return dict(found)


OPERATIONS = [pytest.param(each, id=each["operationId"]) for _, _, each in operations()]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_shows_what_is_asked_and_answered_and_both_keep_to_the_schemas(
    operation: dict[str, Any],
) -> None:
    for each in operation["parameters"]:
        if each.get("required"):
            refuse_misfit(each["example"], each["schema"])
    bodies = [operation["requestBody"]["content"]] if "requestBody" in operation else []
    answered = success(operation).get("content", {})
    for content in [*bodies, answered]:
        if _MEDIA in content:
            refuse_misfit(content[_MEDIA]["example"], content[_MEDIA]["schema"])


def test_examples_are_what_one_would_write() -> None:
    by_id = {each["operationId"]: each for _, _, each in operations()}
    wish = by_id["createBooking"]["requestBody"]["content"][_MEDIA]["example"]
    assert wish["venue_id"].startswith("ven_")
    assert wish["guest"]["email"] == "claire@example.org"
    assert datetime.fromisoformat(wish["start"]).utcoffset() is not None
    booking = success(by_id["createBooking"])["content"][_MEDIA]["example"]["booking"]
    assert ids.parse("bkg", booking["id"], AssertionError)  # type: ignore[arg-type]
    assert booking["status"] == "confirmed"
    path = by_id["getBooking"]["parameters"][0]
    assert (path["name"], path["example"]) == ("booking_id", booking["id"])


def placeholders(value: Any, name: str = "") -> list[str]:
    """The fields within an example that hold no more than their own name."""
    if isinstance(value, dict):
        return [each for key, held in value.items() for each in placeholders(held, key)]
    if isinstance(value, list):
        return [each for held in value for each in placeholders(held, name)]
    return [name] if name and value == name.replace("_", " ") else []


def shown() -> list[tuple[str, str, Any]]:
    """Where each example is shown, what of, and the example."""
    hooks = [(kind, "", item["post"]) for kind, item in DOCUMENT["webhooks"].items()]
    found = []
    for path, method, operation in [*operations(), *hooks]:
        place = f"{method} {path}".strip()
        found += [
            (place, each["name"], each["example"]) for each in operation["parameters"] if "example" in each
        ]
        for body in [operation.get("requestBody", {}), *operation["responses"].values()]:
            found += [
                (place, "", each["example"]) for each in body.get("content", {}).values() if "example" in each
            ]
    return found


def test_no_example_is_the_name_of_its_field() -> None:
    assert [(place, names) for place, name, each in shown() if (names := placeholders(each, name))] == []


def test_the_control_a_placeholder_is_found() -> None:
    assert placeholders({"theme": [{"logo_url": "logo url", "accent": "#9d174d"}]}) == ["logo_url"]


def test_a_theme_is_shown_as_colours_and_an_address_wherever_it_is_worn() -> None:
    def themes(value: Any) -> list[Any]:
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        own = [value] if isinstance(value, dict) and "accent" in value else []
        return own + [each for within in held for each in themes(within)]

    found = [(place, each) for place, _, example in shown() for each in themes(example)]
    assert {"get /v1/venues/{venue_id}", "get /v1/site"} <= {place for place, _ in found}
    for place, each in found:
        colours = {each["background"], each["text"], each["accent"]}
        assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours), place
        assert len(colours) == len(("background", "text", "accent")), place
        assert each.get("logo_url", "https://").startswith("https://"), place


def test_ids_in_examples_have_prefixes_that_there_are() -> None:
    assert typed_id("joined_by_booking_id", "Booking", another=True) != typed_id("id", "Booking")
    assert typed_id("client_id", "Connection") is None
    assert typed_id("start", "Booking") is None
    text = str(DOCUMENT["paths"])
    shown = set(re.findall(r"'([a-z]+)_01kas3x8e9fv6r2m7c5tqwbn4h'", text))
    assert {"bkg", "ven", "off", "org", "usr", "key", "wle", "tkt"} <= shown


def test_a_schema_that_no_sample_fits_is_refused() -> None:
    with pytest.raises(NoExample):
        Examples({}).request({"type": "string", "pattern": "^[!]{7}$"})


def test_every_refusal_is_shown_with_its_reasons() -> None:
    told = {str(each.status) for each in CATALOGUE}
    assert told - BEFORE_ANY_OPERATION <= {each.removeprefix("Problem") for each in COMPONENTS["responses"]}
    for status, response in COMPONENTS["responses"].items():
        content = response["content"]["application/problem+json"]
        if "example" in content:
            refuse_misfit(content["example"], COMPONENTS["schemas"]["Problem"])
            assert status == f"Problem{content['example']['status']}"
            assert f"`{content['example']['reason']}`" in response["description"]
    assert "`UNKNOWN_VERSION`" in COMPONENTS["responses"]["Problem400"]["description"]
    assert "example" in COMPONENTS["responses"]["Problem401"]["content"]["application/problem+json"]


def test_every_operation_says_that_its_version_may_be_gone() -> None:
    gone = {"$ref": "#/components/responses/Problem410"}
    assert [each["operationId"] for *_, each in operations() if each["responses"].get("410") != gone] == []
    assert "`VERSION_GONE`" in COMPONENTS["responses"]["Problem410"]["description"]


def test_the_version_may_be_named_everywhere_and_is_told_everywhere() -> None:
    assert DOCUMENT["info"]["version"] == NEWEST
    assert COMPONENTS["parameters"]["Version"]["name"] == HEADER
    for _, _, operation in operations():
        assert {"$ref": "#/components/parameters/Version"} in operation["parameters"]
        assert {HEADER, "X-Request-Id", "RateLimit", "RateLimit-Policy"} <= success(operation)[
            "headers"
        ].keys()
    for response in COMPONENTS["responses"].values():
        assert HEADER in response["headers"]


def test_keys_are_shown_where_they_may_call() -> None:
    by_id = {each["operationId"]: each for _, _, each in operations()}
    for route in routes():
        shown = {"api_key": []} in by_id[route.operation_id]["security"]
        assert shown <= (not route.policy.fresh and route.policy.permission not in ("", "self"))
    assert {"api_key": []} in by_id["createVenue"]["security"]


def test_there_is_a_webhook_for_each_event_that_partners_are_told_of() -> None:
    assert DOCUMENT["webhooks"].keys() == {
        each.rules.webhook for each in contract.events().values() if each.rules.webhook
    }
    for kind, item in DOCUMENT["webhooks"].items():
        operation = item["post"]
        assert operation["summary"]
        assert {each["name"] for each in operation["parameters"]} == {
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        }
        content = operation["requestBody"]["content"][_MEDIA]
        refuse_misfit(content["example"], content["schema"])
        assert content["example"]["type"] == kind


_DAYS = ("service_date", "first_date", "last_date")


@pytest.mark.parametrize("kind", webhooks())
def test_what_notification_posts_is_what_the_document_says(kind: str) -> None:
    known = webhooks()[kind]
    message: Any = known.message()
    for held in [name for name in ("booking", "entry") if name in known.descriptor.fields_by_name]:
        snapshot = getattr(message, held)
        snapshot.status = 1
        for name in _DAYS:
            if name in snapshot.DESCRIPTOR.fields_by_name:
                setattr(snapshot, name, "2026-12-04")
    event = Event(ids.new(), known.name, ids.new(), datetime.now(UTC), "", message)
    posted = json.loads(notifications.body(notifications.partner_event(event)))
    schema = DOCUMENT["webhooks"][kind]["post"]["requestBody"]["content"][_MEDIA]["schema"]
    refuse_misfit(posted, schema)
    assert schema["properties"]["data"]["required"] == [*posted["data"]]
