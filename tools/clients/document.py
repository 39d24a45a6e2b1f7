"""docs/openapi.json to an `Api`."""

from __future__ import annotations

from collections.abc import Iterator

from tools.clients.schemas import Json, Object, Reader, Unsupported, entries, pascal, text
from tools.clients.shapes import Answer, Api, Field, Operation

_METHODS = {"get", "post", "put", "patch", "delete"}
_OF_THE_TRANSPORT = {"comptoir-version", "if-none-match"}
"""Headers that are no parameter of a method: the clients send the first, and read everything anew."""
_JSON = "application/json"
_ENDLESS = "text/event-stream"
"""What is answered so has no end to wait for: such operations are no methods."""
_MERGE_PATCH = "application/merge-patch+json"
_EVENT_SUFFIX = "Event"


def read(document: Object) -> Api:
    """Everything that the clients offer. Raises Unsupported when they could not offer some of it."""
    components = entries(document.get("components", {}), "components")
    schemas = entries(components.get("schemas", {}), "schemas")
    operations = [*_operations(document)]
    reader = Reader(schemas, received=_received(schemas, [each for *_, each in operations]))
    reader.read_components()
    shared = entries(components.get("parameters", {}), "parameters")
    read_operations = [_operation(reader, shared, method, path, item) for method, path, item in operations]
    names = [each.name for each in read_operations]
    if len(set(names)) != len(names):
        raise Unsupported("two operations have one operationId")
    events = tuple(_events(reader, document))
    return Api(tuple(read_operations), tuple(reader.models.values()), events)


def _operations(document: Object) -> Iterator[tuple[str, str, dict[str, Json]]]:
    for path, item in entries(document.get("paths", {}), "paths").items():
        for method, operation in entries(item, path).items():
            if method in _METHODS and not _is_endless(entries(operation, path)):
                yield method.upper(), path, entries(operation, path)


def _is_endless(said: Object) -> bool:
    responses = entries(said.get("responses", {}), "responses")
    return any(
        _ENDLESS in entries(entries(each, status).get("content", {}), status)
        for status, each in responses.items()
    )


def _received(schemas: Object, operations: list[dict[str, Json]]) -> set[str]:
    """The names of all schemas that answers are made of."""
    waiting = [name for each in operations for name in _mentioned(each.get("responses"))]
    found = {"Problem"} & schemas.keys()
    while waiting:
        name = waiting.pop()
        if name not in found and name in schemas:
            found.add(name)
            waiting.extend(_mentioned(schemas[name]))
    return found


def _mentioned(value: Json) -> Iterator[str]:
    match value:
        case {"$ref": str(target)}:
            yield target.rpartition("/")[2]
        case dict():
            for each in value.values():
                yield from _mentioned(each)
        case list():
            for each in value:
                yield from _mentioned(each)


def _operation(reader: Reader, shared: Object, method: str, path: str, said: Object) -> Operation:
    name = text(said.get("operationId"))
    if not name.isidentifier():
        raise Unsupported(f"{method} {path} has no operationId that could be a method's name")
    parameters = [_resolved(each, shared, name) for each in _list(said.get("parameters", []), name)]
    headers = {text(each.get("name")).lower() for each in parameters if each.get("in") == "header"}
    strange = headers - _OF_THE_TRANSPORT - {"idempotency-key", "if-match"}
    if strange:
        raise Unsupported(f"{name} takes the headers {', '.join(sorted(strange))}")
    body, content_type = _body(reader, said, name)
    return Operation(
        name=name,
        method=method,
        path=path,
        about=text(said.get("description")) or text(said.get("summary")),
        in_path=_placed(reader, parameters, "path", name),
        in_query=_placed(reader, parameters, "query", name),
        body=body,
        content_type=content_type,
        answer=_answer(reader, said, name),
        keyed="idempotency-key" in headers,
        conditional="if-match" in headers,
    )


def _resolved(parameter: Json, shared: Object, place: str) -> dict[str, Json]:
    match parameter:
        case {"$ref": str(target)}:
            return entries(shared.get(target.rpartition("/")[2]), f"{place}: {target}")
    return entries(parameter, place)


def _list(value: Json, place: str) -> list[Json]:
    if not isinstance(value, list):
        raise Unsupported(f"{place} has no list where one belongs")
    return value


def _placed(
    reader: Reader, parameters: list[dict[str, Json]], place: str, operation: str
) -> tuple[Field, ...]:
    """The parameters of one place; required ones first, so that they can be positional."""
    found = [
        Field(
            text(each.get("name")),
            reader.shape(entries(each.get("schema"), operation), pascal(f"{operation} {each.get('name')}")),
            place == "path" or each.get("required") is True,
            text(each.get("description")),
        )
        for each in parameters
        if each.get("in") == place
    ]
    return tuple(sorted(found, key=lambda each: not each.required))


def _body(reader: Reader, said: Object, name: str) -> tuple[Field | None, str]:
    if "requestBody" not in said:
        return None, ""
    body = entries(said["requestBody"], name)
    content = entries(body.get("content"), name)
    kind = next((each for each in (_MERGE_PATCH, _JSON) if each in content), None)
    if kind is None:
        raise Unsupported(f"{name} takes {', '.join(content)}")
    schema = entries(entries(content[kind], name).get("schema"), name)
    about = text(body.get("description"))
    return Field(
        "body", reader.shape(schema, f"{pascal(name)}Body"), body.get("required") is True, about
    ), kind


def _answer(reader: Reader, said: Object, name: str) -> Answer:
    """What the one success of an operation carries."""
    responses = entries(said.get("responses"), name)
    successes = [each for status, each in responses.items() if status.startswith("2")]
    if len(successes) != 1:
        raise Unsupported(f"{name} succeeds in {len(successes)} ways")
    content = entries(entries(successes[0], name).get("content", {}), name)
    if not content:
        return "nothing"
    if len(content) != 1:
        raise Unsupported(f"{name} answers {', '.join(content)}")
    kind, media = next(iter(content.items()))
    if kind == _JSON:
        schema = entries(entries(media, name).get("schema"), name)
        return reader.shape(schema, f"{pascal(name)}Answer")
    return "text" if kind.startswith("text/") else "bytes"


def _events(reader: Reader, document: Object) -> Iterator[str]:
    """A model for what each webhook delivers."""
    for name, item in entries(document.get("webhooks", {}), "webhooks").items():
        post = entries(entries(item, name).get("post"), name)
        content = entries(entries(post.get("requestBody"), name).get("content"), name)
        schema = entries(entries(content.get(_JSON), name).get("schema"), name)
        match schema:
            case {"$ref": str(target)}:
                yield target.rpartition("/")[2]
            case _:
                about = {"description": post.get("description"), **schema}
                yield reader.define(pascal(name) + _EVENT_SUFFIX, about, received=True).name
