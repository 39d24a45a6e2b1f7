"""Bodies that ask for more than the contract offers: every route, every field, by the contract itself."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.requests import RequestReader
from gateway.routes import Route, routes
from gateway.transcoding import is_text
from servicekit.errors import InvalidRequest

from .conftest import BODY_LIMIT, Backend

Problem = Callable[[httpx.Response, int, str], dict[str, Any]]

ROUTES = [pytest.param(route, id=route.operation_id) for route in routes()]
BODIES = [pytest.param(route, id=route.operation_id) for route in routes() if route.body]
NEVER_OFFERED = {
    "__class__",
    "__proto__",
    "constructor",
    "$where",
    "is_admin",
    "owner",
    "organization_id",
    "sandbox",
    "tenant_id",
    "created_at",
    "update_mask",
}
NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
    FieldDescriptor.CPPTYPE_DOUBLE,
    FieldDescriptor.CPPTYPE_FLOAT,
}
VALUES: dict[str, Any] = {"text": "x", "number": 1, "truth": True, "list": [], "object": {}}
HOSTILE = (
    "x\r\nSet-Cookie: injected=1",
    "x%0d%0aSet-Cookie:%20injected=1",
    "'; DROP TABLE bookings; --",
    "1 OR 1=1",
    "\u2028{{7*7}}${jndi:ldap://evil.example}\u202e",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "%00",
    "a\\u0000",
    "%s%n{0.__class__}",
    '","role":"owner","x":"',
    "\U0001f600" * 50,
)


def refused(route: Route, body: object) -> set[str]:
    """Where a body is refused."""
    try:
        RequestReader(route).read(["x"] * len(route.variables), b"", orjson.dumps(body))
    except InvalidRequest as refusal:
        return {each.pointer for each in refusal.violations}
    return set()


def names_in(descriptor: Descriptor, seen: set[str]) -> Iterator[str]:
    """Every name of a field in a message and all within it."""
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    for field in descriptor.fields:
        yield field.name
        if field.message_type is not None:
            yield from names_in(field.message_type, seen)


def objects(route: Route) -> Iterator[tuple[list[FieldDescriptor], str]]:
    """The fields of every object that a body may hold, and where it stands."""
    todo = [(route.body_message, "")]
    while todo:
        descriptor, pointer = todo.pop()
        outside = frozenset() if pointer else route.outside_body
        fields = [field for field in descriptor.fields if field.name not in outside]
        yield fields, pointer
        for field in fields:
            if field.message_type is not None and not is_text(field):
                index = "/0" if field.is_repeated else ""
                todo.append((field.message_type, f"{pointer}/{field.name}{index}"))


def at(pointer: str, value: object) -> Any:
    """A body that holds a value at a place."""
    for token in reversed(pointer.split("/")[1:]):
        value = [value] if token == "0" else {token: value}
    return value


def kind_of(field: FieldDescriptor) -> str:
    """Which of the values may stand for a field, or for one item of its list."""
    if field.message_type is not None and not is_text(field):
        return "object"
    if field.cpp_type in NUMBERS:
        return "number"
    return "truth" if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL else "text"


@pytest.mark.parametrize("route", BODIES)
def test_nobody_assigns_what_is_only_answered(route: Route) -> None:
    """What the answer shows, what the path says, what servers like to have: in no object of the body."""
    shown = {*names_in(route.response, set()), *NEVER_OFFERED, *route.variables}
    for fields, pointer in objects(route):
        foreign = shown | {field.json_name for field in fields}
        wished = dict.fromkeys(foreign - {field.name for field in fields}, "x")
        assert refused(route, at(pointer, wished)) >= {f"{pointer}/{name}" for name in wished}


@pytest.mark.parametrize("route", BODIES)
def test_no_value_of_another_type_is_taken(route: Route) -> None:
    for fields, pointer in objects(route):
        for field in fields:
            here, fitting = f"{pointer}/{field.name}", kind_of(field)
            for kind, value in VALUES.items():
                if kind != ("list" if field.is_repeated else fitting):
                    assert here in refused(route, at(here, value)), (field.full_name, kind)
            if field.is_repeated:
                wrong = [value for kind, value in VALUES.items() if kind != fitting]
                expected = {f"{here}/{index}" for index in range(len(wrong))}
                assert refused(route, at(here, wrong)) >= expected


@pytest.mark.parametrize("route", BODIES)
def test_a_body_that_is_no_object_says_nothing(route: Route) -> None:
    bodies: list[object] = [[], [{}], "x", 1, True, None]
    assert [refused(route, body) for body in bodies] == [{""}] * len(bodies)


@pytest.mark.parametrize("route", ROUTES)
def test_a_text_arrives_as_it_was_sent_and_nowhere_else(route: Route) -> None:
    """In path, query and body: decoded once, never cut, joined or read as anything but a text."""
    for hostile in HOSTILE:
        for place, message, found in texts(route, hostile):
            assert found in (hostile, [hostile]), (place, hostile)
            assert message.ByteSize() < len(hostile.encode()) * max(1, len(route.variables)) + 100


def texts(route: Route, hostile: str) -> Iterator[tuple[str, Message, Any]]:
    """Each place of a request that takes a text, the request that holds it there, and what it holds there."""
    reader, blank = RequestReader(route), ["x"] * len(route.variables)
    for each in route.path_parameters():
        if each.field.type == FieldDescriptor.TYPE_STRING:
            message = reader.read([hostile] * len(blank), b"", b"")
            yield each.pointer, message, value_at(message, each.pointer)
    escaped = b"".join(b"%%%02x" % byte for byte in hostile.encode())
    for each in route.query_parameters():
        if each.field.type == FieldDescriptor.TYPE_STRING:
            message = reader.read(blank, each.name.encode() + b"=" + escaped, b"")
            yield each.pointer, message, value_at(message, each.pointer)
    for fields, pointer in objects(route) if route.body else ():
        for field in fields:
            if field.type == FieldDescriptor.TYPE_STRING:
                here = f"{pointer}/{field.name}"
                body = at(here, [hostile] if field.is_repeated else hostile)
                message = reader.read(blank, b"", orjson.dumps(body))
                inside = getattr(message, route.body) if route.body != "*" else message
                yield here, message, value_at(inside, here)


def value_at(message: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        message = message[int(name)] if name.isdigit() else getattr(message, name)
    return message


async def test_a_body_with_a_thousand_faults_gets_a_short_answer(
    client: httpx.AsyncClient, backend: Backend, problem: Problem, wish: dict[str, Any]
) -> None:
    many = {f"{number:x}": 0 for number in range(900)}
    answer = await client.post("/v1/bookings", json=wish | many)
    assert len(problem(answer, 400, "INVALID_REQUEST")["errors"]) == 50
    assert len(answer.content) < BODY_LIMIT
    assert backend.calls == 0


@pytest.mark.parametrize(
    "content",
    [
        b'{"party_size":' + b"9" * 4000 + b"}",
        b'{"party_size":1e999}',
        b'{"party_size":-1e-999}',
        b'{"party_size":0x10}',
        b'{"party_size":1_0}',
        b'{"party_size":\xd9\xa2}',
        b"[" * 8000,
        b'{"notes":"' + b"\\u0000" * 100 + b'"}',
        b'{"notes":"' + b"\\ud800" * 100 + b'"}',
        b'{"guest":{"name":"a"},"guest":{"name":"b"}}',
        b'{"guest":{"name":"a","n\\u0061me":"b"}}',
        b'\xef\xbb\xbf{"party_size":2}',
        b'{"party_size":2}{"party_size":3}',
        b'{"party_size":2}\x00',
        b"/**/{}",
        b"{'party_size':2}",
    ],
)
async def test_odd_json_is_a_problem_and_reaches_nobody(
    client: httpx.AsyncClient, backend: Backend, content: bytes
) -> None:
    answer = await client.post("/v1/bookings", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["reason"] in {"MALFORMED_JSON", "INVALID_REQUEST"}
    assert len(answer.content) < 1000
    assert backend.calls == 0


DEEPEST = 32


@pytest.mark.parametrize(
    ("opening", "closing"),
    [(b'{"guest":', b"}"), (b"[", b"]")],
    ids=["objects", "lists"],
)
async def test_json_may_nest_32_levels_deep_and_no_deeper(
    client: httpx.AsyncClient,
    backend: Backend,
    problem: Problem,
    opening: bytes,
    closing: bytes,
) -> None:
    """All of it is JSON: only its depth makes it malformed, and what is not too deep is read."""
    for depth, reason in (
        (DEEPEST, "INVALID_REQUEST"),
        (DEEPEST + 1, "MALFORMED_JSON"),
        (500, "MALFORMED_JSON"),
    ):
        content = opening * (depth - 1) + opening[:1] + closing * depth
        answer = await client.post(
            "/v1/bookings", content=content, headers={"content-type": "application/json"}
        )
        problem(answer, 400, reason)
    assert backend.calls == 0
