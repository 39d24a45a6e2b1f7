"""Every operation of the document is a method of both clients, and does what the document says."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tools.clients.build import DOCUMENT

from .conftest import Driver, Reply, Scripted, Wish

_METHODS = {"get", "post", "put", "patch", "delete"}
_VALUES = {"integer": 3, "boolean": True, "array": ["one", "two"]}
_STREAMS = {"openStream"}
"""They never end, so the clients leave them out."""
_TRANSPORTS = {"If-None-Match", "Comptoir-Version"}
Described = dict[str, Any]


def operations() -> Iterator[tuple[str, str, Described, list[Described]]]:
    """Method, path, operation and its parameters, read without the generator's help."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for path, item in document["paths"].items():
        for method in item.keys() & _METHODS:
            if item[method]["operationId"] in _STREAMS:
                continue
            found = item[method].get("parameters", [])
            shared = [document["components"]["parameters"].get(_last(each.get("$ref", ""))) for each in found]
            parameters = [there or each for there, each in zip(shared, found, strict=True)]
            yield method.upper(), path, item[method], parameters


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]


def wish(operation: Described, parameters: list[Described]) -> Wish:
    """A call with everything that it can be given."""
    call: dict[str, Any] = {
        each["name"]: _VALUES.get(each["schema"].get("type"), f"a-{each['name']}")
        for each in parameters
        if each["in"] in {"path", "query"}
    }
    headers = {each["name"] for each in parameters if each["in"] == "header"}
    call |= {"idempotencyKey": "k-1"} if "Idempotency-Key" in headers else {}
    call |= {"ifMatch": '"3"'} if "If-Match" in headers else {}
    call |= {"body": {"said": operation["operationId"]}} if "requestBody" in operation else {}
    return Wish(operation["operationId"], call)


def expected_query(parameters: list[Described]) -> list[tuple[str, str]]:
    pairs = []
    for each in parameters:
        if each["in"] == "query":
            value = _VALUES.get(each["schema"].get("type"), f"a-{each['name']}")
            several = (
                value if isinstance(value, list) else [json.dumps(value) if value is True else str(value)]
            )
            pairs += [(each["name"], word) for word in several]
    return sorted(pairs)


def test_every_operation_is_sent_as_the_document_says(drive: Driver, scripted: Scripted) -> None:
    described = list(operations())
    done = drive([wish(each, parameters) for _, _, each, parameters in described], url=scripted.url)
    assert [outcome for outcome in done.outcomes if "came" not in outcome] == []
    assert len(scripted.seen) == len(described) > 200
    for (method, path, operation, parameters), seen in zip(described, scripted.seen, strict=True):
        target, _, query = seen.target.partition("?")
        assert (seen.method, target) == (method, re.sub(r"{(\w+)}", r"a-\1", path))
        assert sorted(parse_qsl(query)) == expected_query(parameters)
        headers = {each["name"] for each in parameters if each["in"] == "header"} - _TRANSPORTS
        sent = {"Idempotency-Key", "If-Match"} & {name.title() for name in seen.headers}
        assert sent == headers
        content = operation.get("requestBody", {"content": {}})["content"]
        assert (seen.headers.get("content-type") in content) == bool(content)
        assert bool(seen.body) == bool(content)


def test_a_list_is_walked_to_its_end(comptoir_client: Any, scripted: Scripted) -> None:
    scripted.replies = [
        Reply(200, {"items": [{"id": "1"}, {"id": "2"}], "next_page_token": "two"}),
        Reply(200, {"items": [], "next_page_token": "three"}),
        Reply(200, {"items": [{"id": "3"}], "next_page_token": ""}),
    ]
    with comptoir_client.Comptoir(scripted.url) as api:
        walked = comptoir_client.every(lambda token: api.list_resources("ven_1", page_token=token))
        assert [each["id"] for each in walked] == ["1", "2", "3"]
    tokens = [dict(parse_qsl(seen.target.partition("?")[2])).get("page_token", "") for seen in scripted.seen]
    assert tokens == ["", "two", "three"]


def test_another_caller_shares_the_connections(comptoir_client: Any, scripted: Scripted) -> None:
    with comptoir_client.Comptoir(scripted.url) as anybody:
        with anybody.with_token("t-1") as member:
            member.list_venues()
        anybody.list_venues()
    assert [seen.headers.get("authorization") for seen in scripted.seen] == ["Bearer t-1", None]


@pytest.mark.parametrize("name", ["__init__.py", "py.typed", "models.py"])
def test_the_package_of_python_is_whole(built: Any, name: str) -> None:
    assert (built / "python" / "comptoir_client" / name).exists()
    assert (built / "python" / "LICENSE").exists()
