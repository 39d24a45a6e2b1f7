"""The OpenAPI document: valid, complete, the same every time, and true to what the gateway does."""

import json
import re
from typing import Any

import httpx
import jsonschema
import protovalidate
import pytest
from buf.validate import validate_pb2
from google.protobuf import message_factory
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from comptoir.api.v1 import rules_pb2
from comptoir.booking.v1 import booking_pb2
from comptoir.payment.v1 import payment_pb2
from gateway.edge import Edge
from gateway.openapi import OPERATIONS, Reason, document, shipped
from gateway.openapi.rules import keywords, required, rules_of
from gateway.routes import routes
from gateway.transcoding import writer
from gateway.transcoding.values import ContractUnsupported
from servicekit import errors

CATALOGUE = [Reason(each.kind.http_status, each.reason, each.detail) for each in errors.catalogue()]
DOCUMENT = document(routes(), CATALOGUE)
SCHEMAS = DOCUMENT["components"]["schemas"]
NOT_DESCRIBED = {
    "SCIM describes itself (RFC 7644 §4) and is spoken by providers alone": {
        "/scim/v2",
        "/scim/v2/{endpoint}",
        "/scim/v2/{endpoint}/{id}",
    },
    "where a browser is sent, and no program calls": {
        "/v1/auth/sso/{connection}/start",
        "/v1/auth/sso/{connection}/callback",
    },
    "pages and what they load": {
        "/",
        "/docs",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/manage/{token}",
        "/waitlist/{token}",
        "/verify-email",
        "/forgot-password",
        "/reset-password",
        "/confirm-email",
        "/revert-email",
        "/invitation",
    },
    "files about the API, which belong to none of its versions": {
        "/openapi.json",
        "/versions",
        "/.well-known/jwks.json",
    },
    "for balancers": {"/healthz", "/readyz"},
    "Stripe's, in Stripe's form": {"/hooks/stripe"},
}
_TYPED = " \t\n\r\x00\x1f\x7f\x85\x9f\xa0\u1680\u2000\u200a\u200b\u2028\u202f\u3000aé@.:/-"


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, each)
        for path, methods in DOCUMENT["paths"].items()
        for method, each in methods.items()
    ]


def fits(value: Any, name: str) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_is_the_same_every_time() -> None:
    assert json.dumps(document(routes(), CATALOGUE)) == json.dumps(DOCUMENT)


def test_every_route_is_documented_under_an_id_of_its_own() -> None:
    found = {(method.upper(), path): each["operationId"] for path, method, each in operations()}
    assert found == {(route.method, route.template): route.operation_id for route in routes()} | OPERATIONS
    assert len(set(found.values())) == len(found)


def test_whatever_is_served_is_documented_or_has_a_reason_not_to_be(edge: Edge) -> None:
    served = {(method, path) for method, path in edge.served() if method != "HEAD"}  # each GET has one
    excepted = {path for paths in NOT_DESCRIBED.values() for path in paths}
    assert excepted <= {path for _, path in served}
    described = {(method.upper(), path) for path, method, _ in operations()}
    assert described == {(method, path) for method, path in served if path not in excepted}


async def test_what_is_described_by_hand_is_strict_about_its_query(
    client: httpx.AsyncClient, bearer: dict[str, str], problem: Any
) -> None:
    for method, path in OPERATIONS:
        answer = await client.request(method, path, params={"access_token": "x"}, headers=bearer)
        refused = problem(answer, 400, "INVALID_REQUEST")
        assert refused["errors"][0]["message"] == "has a query parameter that is not known"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_what_is_described_by_hand_answers_as_it_is_described(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    """To a stranger: what members and browsers are answered stands with streams, cookies and white label."""
    operation = DOCUMENT["paths"][path][method.lower()]
    topics = {"topics": "feed"} if path.endswith("stream") else {}
    for params in (topics, {"unknown": "x"}):
        answer = await client.request(method, path, params=params)
        assert str(answer.status_code) in operation["responses"]
        assert fits(answer.json(), "Problem")
    for other in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {method}:
        answer = await client.request(other, path)
        assert (answer.status_code, method in answer.headers["allow"]) == (405, True)


def test_everything_has_a_description() -> None:
    for _, _, operation in operations():
        assert operation["summary"]
        assert all(each.get("description") for each in operation.get("parameters", []) if "$ref" not in each)
    for name, schema in SCHEMAS.items():
        assert schema["description"], name
        if name != "Problem":
            assert all(each["description"] for each in schema.get("properties", {}).values()), name


def test_members_need_the_bearer_and_others_may_have_it() -> None:
    by_id = {each["operationId"]: each for _, _, each in operations()}
    bearer, cookie, changing = {"bearer": []}, {"cookie": []}, {"cookie": [], "csrf_token": []}
    assert by_id["getBooking"]["security"] == [bearer, cookie, {"api_key": []}]
    assert by_id["confirmBooking"]["security"] == [bearer, changing, {"api_key": []}]
    assert by_id["getMe"]["security"] == [bearer, cookie]
    assert by_id["createApiKey"]["security"] == [bearer, changing]
    assert by_id["searchOrganizations"]["security"] == [bearer]
    assert "`bookings.read`" in by_id["getBooking"]["description"]
    assert by_id["searchAvailability"]["security"] == [{}, bearer, cookie]


def test_the_idempotency_key_is_shown_where_it_is_honoured() -> None:
    reference = {"$ref": "#/components/parameters/IdempotencyKey"}
    honoured = {each["operationId"] for _, _, each in operations() if reference in each.get("parameters", [])}
    assert honoured == {route.operation_id for route in routes() if route.policy.idempotency_key}


def named(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Its parameters but for the headers that many share."""
    return [each for each in operation["parameters"] if "name" in each]


def test_path_and_query_and_body_share_out_the_request() -> None:
    search = DOCUMENT["paths"]["/v1/venues/{venue_id}/availability"]["get"]
    assert [(each["name"], each["in"], each["required"]) for each in named(search)] == [
        ("venue_id", "path", True),
        ("date", "query", True),
        ("party_size", "query", True),
        ("offering_id", "query", False),
        ("area_id", "query", False),
        ("attributes", "query", False),
    ]
    assert "venue_id" not in SCHEMAS["CreateAreaRequest"]["properties"]
    assert DOCUMENT["paths"]["/v1/bookings/{booking_id}/cancel"]["post"]["requestBody"]["required"] is False


def test_rules_become_keywords() -> None:
    guest = SCHEMAS["GuestInput"]
    assert guest["additionalProperties"] is False
    assert guest["required"] == ["name"]
    empty, mailbox = guest["properties"]["email"]["anyOf"]
    assert empty == {"maxLength": 0}
    assert mailbox["pattern"].startswith("^[0-9A-Za-z!#$%&*+/=?^_`{|}~\\x27-]+(")
    assert guest["properties"]["language"]["enum"] == ["", "en", "fr", None]
    resource_ids = SCHEMAS["CreateCombinationRequest"]["properties"]["resource_ids"]
    assert (resource_ids["minItems"], resource_ids["uniqueItems"]) == (2, True)
    assert resource_ids["items"]["maxLength"] == 40
    assert SCHEMAS["CreateResourceRequest"]["required"] == ["name", "kind", "min_party", "max_party"]
    assert SCHEMAS["ResourceKind"]["enum"] == ["table", "person", "room", "bay"]


def test_required_is_what_the_validator_says_about_an_empty_message() -> None:
    assert required(booking_pb2.CreateBookingRequest.DESCRIPTOR) == {
        "venue_id",
        "offering_id",
        "party_size",
        "guest",
    }


def test_a_rule_that_cannot_be_shown_is_refused() -> None:
    field = payment_pb2.ReceiveStripeEventRequest.DESCRIPTOR.fields_by_name["payload"]
    with pytest.raises(ContractUnsupported, match=r"bytes\.min_len"):
        keywords(rules_of(field), field.full_name)


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("CreateAreaRequest", "name"),
        ("CreateVenueRequest", "address"),
        ("CreateBookingRequest", "notes"),
        ("OpenTicketRequest", "text"),
        ("ResendVerificationRequest", "email"),
        ("CreateWebhookEndpointRequest", "url"),
    ],
)
@settings(deadline=None)
@given(data=st.data())
def test_the_patterns_shown_are_those_enforced(name: str, keyword: str, data: st.DataObject) -> None:
    shown = SCHEMAS[name]["properties"][keyword]["pattern"]
    pattern = re.compile(shown.removeprefix("^").removesuffix("$"))
    text = data.draw(st.from_regex(pattern, fullmatch=True) | st.text(_TYPED) | st.text())
    fields = {route.body_message.name: route.body_message.fields_by_name for route in routes() if route.body}
    message = message_factory.GetMessageClass(fields[name][keyword].containing_type)(**{keyword: text})
    refused = {
        violation.proto.rule_id
        for violation in protovalidate.collect_violations(message)
        if violation.proto.field.elements[0].field_name == keyword
    } - {"string.min_len", "string.max_len"}
    assert bool(refused) is (pattern.fullmatch(text) is None)


def test_a_day_is_shown_with_its_years_and_its_format_and_may_be_left_out_where_it_is_optional() -> None:
    search, overview = (
        {each["name"]: each["schema"] for each in named(DOCUMENT["paths"][path]["get"])}["date"]
        for path in ("/v1/venues/{venue_id}/availability", "/v1/analytics/overview")
    )
    assert search["format"] == "date"
    for day, good in (
        ("1971-01-01", True),
        ("8999-12-31", True),
        ("1970-12-31", False),
        ("9000-01-01", False),
    ):
        assert jsonschema.Draft202012Validator(search).is_valid(day) is good
        assert jsonschema.Draft202012Validator(overview).is_valid(day) is good
    assert not jsonschema.Draft202012Validator(search).is_valid("")
    assert jsonschema.Draft202012Validator(overview).is_valid("")


def test_rules_that_would_hide_each_other_or_be_ignored_are_refused() -> None:
    twice = validate_pb2.FieldRules()
    twice.string.pattern = "^a$"
    twice.string.Extensions[rules_pb2.name] = True
    with pytest.raises(ContractUnsupported, match=r"string\.name"):
        keywords(twice, "both")
    never = validate_pb2.FieldRules(ignore=validate_pb2.IGNORE_ALWAYS)
    never.string.max_len = 3
    with pytest.raises(ContractUnsupported, match="ignore"):
        keywords(never, "never")


def test_an_answer_has_what_its_schema_requires_and_an_unset_message_is_left_out() -> None:
    empty = writer(booking_pb2.Booking.DESCRIPTOR)(booking_pb2.Booking())
    assert set(empty) == set(SCHEMAS["Booking"]["required"])
    assert fits(empty, "Booking")
    assert not fits(empty | {"party_size": "2"}, "Booking")
    assert "additionalProperties" not in SCHEMAS["Booking"]


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ({"start": "2027-10-31T02:30:00+02:00"}, True),
        ({"start": "2027-10-31T02:30:00Z"}, True),
        ({}, True),
        ({"start": None}, True),
        ({"party_size": 4}, True),
        ({"party_size": "4"}, False),
        ({"start": "2027-10-31"}, False),
        ({"start": "2027-10-31T02:30:00+02:00", "booking_id": "bkg_1"}, False),
    ],
)
async def test_the_document_and_the_gateway_agree_on_a_body(
    client: httpx.AsyncClient, bearer: dict[str, str], value: dict[str, Any], *, good: bool
) -> None:
    assert fits(value, "MoveBookingRequest") is good
    answer = await client.post("/v1/bookings/bkg_1/move", json=value, headers=bearer)
    assert (answer.json()["reason"] != "INVALID_REQUEST") is good
    assert fits(answer.json(), "Problem")


async def test_the_document_is_served_as_it_is_made(client: httpx.AsyncClient) -> None:
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(shipped())
    assert answer.json().keys() == DOCUMENT.keys()
    assert answer.json()["paths"] == json.loads(json.dumps(DOCUMENT["paths"]))
