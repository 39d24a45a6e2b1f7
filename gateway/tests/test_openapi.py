"""The OpenAPI document: valid, complete, the same every time, and true to what the gateway does."""

import json
from typing import Any

import httpx
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from comptoir.booking.v1 import booking_pb2
from comptoir.payment.v1 import payment_pb2
from gateway.openapi import document
from gateway.openapi.rules import keywords, required, rules_of
from gateway.routes import routes
from gateway.transcoding import writer
from gateway.transcoding.values import ContractUnsupported

DOCUMENT = document(routes())
SCHEMAS = DOCUMENT["components"]["schemas"]


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
    assert json.dumps(document(routes())) == json.dumps(DOCUMENT)


def test_every_route_is_documented_under_an_id_of_its_own() -> None:
    found = {(method.upper(), path): each["operationId"] for path, method, each in operations()}
    assert found == {(route.method, route.template): route.operation_id for route in routes()}
    assert len(set(found.values())) == len(found)


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
    assert by_id["getBooking"]["security"] == [{"bearer": []}]
    assert "`bookings.read`" in by_id["getBooking"]["description"]
    assert by_id["searchAvailability"]["security"] == [{}, {"bearer": []}]


def test_the_idempotency_key_is_shown_where_it_is_honoured() -> None:
    reference = {"$ref": "#/components/parameters/IdempotencyKey"}
    honoured = {each["operationId"] for _, _, each in operations() if reference in each.get("parameters", [])}
    assert honoured == {route.operation_id for route in routes() if route.policy.idempotency_key}


def test_path_and_query_and_body_share_out_the_request() -> None:
    search = DOCUMENT["paths"]["/v1/venues/{venue_id}/availability"]["get"]
    assert [(each["name"], each["in"], each["required"]) for each in search["parameters"]] == [
        ("venue_id", "path", True),
        ("date", "query", True),
        ("party_size", "query", True),
        ("offering_id", "query", False),
    ]
    assert "venue_id" not in SCHEMAS["CreateAreaRequest"]["properties"]
    assert DOCUMENT["paths"]["/v1/bookings/{booking_id}/cancel"]["post"]["requestBody"]["required"] is False


def test_rules_become_keywords() -> None:
    guest = SCHEMAS["GuestInput"]
    assert guest["additionalProperties"] is False
    assert guest["required"] == ["name", "email"]
    assert guest["properties"]["email"]["format"] == "email"
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
        "start",
        "party_size",
        "guest",
    }


def test_a_rule_that_cannot_be_shown_is_refused() -> None:
    field = payment_pb2.ReceiveStripeEventRequest.DESCRIPTOR.fields_by_name["payload"]
    with pytest.raises(ContractUnsupported, match=r"bytes\.min_len"):
        keywords(rules_of(field), field.full_name)


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
    assert answer.json() == json.loads(json.dumps(DOCUMENT))
