"""A document with everything that the generator knows, and what it refuses."""

from collections.abc import Mapping

import pytest

from tools.clients import document
from tools.clients.build import read_api
from tools.clients.schemas import Json, Reader, Unsupported
from tools.clients.shapes import (
    NOTHING,
    Array,
    Field,
    Grown,
    Model,
    Plain,
    Reference,
    Shape,
    Union,
    Words,
)
from tools.clients.shapes import Mapping as MappingShape

TEXT, INTEGER = Plain("text"), Plain("integer")
SCHEMAS: dict[str, Json] = {
    "Kind": {"type": "string", "enum": ["table", "room"]},
    "Wish": {
        "type": "object",
        "description": "What is wished.",
        "properties": {"kind": {"$ref": "#/components/schemas/Kind"}, "from": {"type": ["string", "null"]}},
        "required": ["kind"],
        "additionalProperties": False,
    },
    "Thing": {
        "type": "object",
        "properties": {
            "kind": {"$ref": "#/components/schemas/Kind", "description": "Of things."},
            "parts": {
                "type": "array",
                "items": {"type": "object", "properties": {"size": {"type": "number"}}},
            },
        },
        "required": ["kind"],
    },
}


def described(operation: Mapping[str, Json], *, path: str = "/v1/things/{thing_id}") -> dict[str, Json]:
    """A document with one operation."""
    responses: dict[str, Json] = {"204": {"description": "Done."}}
    said: dict[str, Json] = {"operationId": "changeThing", "responses": responses, **operation}
    key: Json = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    return {
        "paths": {path: {"put": said}},
        "components": {"schemas": SCHEMAS, "parameters": {"IdempotencyKey": key}},
    }


def json_content(schema: Json) -> Json:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ({"type": "string", "format": "date-time", "minLength": 3}, TEXT),
        ({"type": ["integer", "null"], "minimum": 1}, Union((INTEGER, NOTHING))),
        ({"type": ["null", "string"]}, Union((TEXT, NOTHING))),
        ({"type": "number"}, Plain("number")),
        ({"type": "string", "const": "held"}, Words(("held",))),
        ({"type": "string", "enum": ["a", "b"]}, Words(("a", "b"))),
        ({"type": ["string", "null"], "enum": ["a", None]}, Union((Words(("a",)), NOTHING))),
        ({"type": "array", "items": {"type": "boolean"}, "uniqueItems": True}, Array(Plain("boolean"))),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, MappingShape(INTEGER)),
        ({"type": "object"}, MappingShape(Plain("anything"))),
        (
            {"anyOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "null"}]},
            Union((Reference("Kind"), NOTHING)),
        ),
        ({"oneOf": [{"maxLength": 0}, {"pattern": "x"}], "type": "string"}, TEXT),
        ({"oneOf": [{"maxLength": 0}, {"type": "string"}]}, TEXT),
        ({"allOf": [{"$ref": "#/components/schemas/Kind"}], "description": "Why."}, Reference("Kind")),
        ({"x-ours": 1}, Plain("anything")),
    ],
)
def test_each_schema_is_a_shape(schema: dict[str, Json], shape: Shape) -> None:
    assert Reader(SCHEMAS).shape(schema, "Place") == shape


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "string"}},
        {"type": "array", "prefixItems": []},
        {"allOf": [{"type": "string"}, {"minLength": 1}]},
        {"properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "properties": {}, "anyOf": []},
        {"type": "table"},
        {"$ref": "#/components/schemas/Absent"},
        {"$ref": "elsewhere.json"},
    ],
)
def test_what_is_no_type_is_refused(schema: dict[str, Json]) -> None:
    with pytest.raises(Unsupported):
        Reader(SCHEMAS).shape(schema, "Place")


def test_an_operation_is_read_whole() -> None:
    parameters: Json = [
        {"name": "since", "in": "query", "schema": {"type": "string"}},
        {"name": "thing_id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "party_size", "in": "query", "required": True, "schema": {"type": "integer"}},
        {"$ref": "#/components/parameters/IdempotencyKey"},
        {"name": "If-Match", "in": "header", "schema": {"type": "string"}},
        {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
    ]
    body: Json = {"required": True, "content": {"application/json": {"schema": reference("Wish")}}}
    responses: Json = {"200": json_content(reference("Thing")), "404": {"description": ""}}
    said = {"parameters": parameters, "requestBody": body, "responses": responses, "description": "Changes."}
    (operation,) = document.read(described(said)).operations
    assert (operation.name, operation.method, operation.path) == (
        "changeThing",
        "PUT",
        "/v1/things/{thing_id}",
    )
    assert operation.in_path == (Field("thing_id", TEXT, required=True),)
    assert operation.in_query == (
        Field("party_size", INTEGER, required=True),
        Field("since", TEXT, required=False),
    )
    assert operation.body == Field("body", Reference("Wish"), required=True)
    assert (operation.content_type, operation.answer) == ("application/json", Reference("Thing"))
    assert (operation.keyed, operation.conditional) == (True, True)


def test_words_may_grow_in_answers_and_not_in_requests() -> None:
    said: dict[str, Json] = {"responses": {"200": json_content(reference("Thing"))}}
    models = {model.name: model for model in document.read(described(said)).models}
    assert models["Kind"].alias == Words(("table", "room"))
    assert models["Wish"].fields[0].shape == Reference("Kind")
    assert models["Thing"].fields[0] == Field("kind", Grown("Kind"), required=True, about="Of things.")


def test_an_object_within_another_gets_a_name() -> None:
    models = {model.name: model for model in document.read(described({})).models}
    assert models["Thing"].fields[1].shape == Array(Reference("ThingPartsItem"))
    size = Field("size", Plain("number"), required=False)
    assert models["ThingPartsItem"] == Model("ThingPartsItem", "", (size,))


def test_webhooks_are_models() -> None:
    payload: Json = {"type": "object", "properties": {"type": {"const": "thing.made"}}, "required": ["type"]}
    content: Json = {"content": {"application/json": {"schema": payload}}}
    made: Json = {"post": {"description": "One is made.", "requestBody": content}}
    api = document.read({**described({}), "webhooks": {"thing.made": made}})
    assert api.events == ("ThingMadeEvent",)
    said = Field("type", Words(("thing.made",)), required=True)
    assert api.models[-1] == Model("ThingMadeEvent", "One is made.", (said,))


@pytest.mark.parametrize(
    ("content", "answer"),
    [("text/calendar", "text"), ("application/zip", "bytes"), ("image/png", "bytes")],
)
def test_files_are_texts_or_bytes(content: str, answer: str) -> None:
    said: dict[str, Json] = {"responses": {"200": {"description": "", "content": {content: {}}}}}
    assert document.read(described(said)).operations[0].answer == answer


def test_what_is_answered_without_end_is_no_method() -> None:
    content: Json = {"text/event-stream": {"schema": {"type": "string"}}}
    said: dict[str, Json] = {"responses": {"200": {"description": "", "content": content}}}
    assert document.read(described(said)).operations == ()


@pytest.mark.parametrize(
    "said",
    [
        {"operationId": "not a name"},
        {"responses": {"200": {"description": ""}, "201": {"description": ""}}},
        {"responses": {}},
        {"requestBody": {"content": {"text/csv": {}}}},
        {"parameters": [{"name": "X-New", "in": "header", "schema": {"type": "string"}}]},
        {"parameters": [{"$ref": "#/components/parameters/Absent"}]},
    ],
)
def test_an_operation_that_could_not_be_offered_is_refused(said: dict[str, Json]) -> None:
    with pytest.raises(Unsupported):
        document.read(described(said))


def test_two_operations_of_one_name_are_refused() -> None:
    one, other = described({}), described({}, path="/v1/other")
    paths = {**dict(one["paths"]), **dict(other["paths"])}  # type: ignore[arg-type]
    with pytest.raises(Unsupported):
        document.read({**one, "paths": paths})


def test_the_whole_document_is_understood() -> None:
    api = read_api()
    assert len({each.name for each in api.operations}) == len(api.operations) > 200
    names = {model.name for model in api.models}
    assert {"Booking", "Problem", "CreateBookingRequest"} <= names
    assert set(api.events) <= names
