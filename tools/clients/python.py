"""The generated modules of the Python client."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from tools.clients.shapes import (
    Api,
    Array,
    Field,
    Grown,
    Mapping,
    Model,
    Operation,
    Plain,
    Reference,
    Shape,
    Union,
    Words,
)
from tools.clients.wording import paragraphs, printable, snake

_PLAIN = {
    "text": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "anything": "object",
}
_STEP = "    "
_READ = {"nothing": "self.send({})", "text": "return self._text({})", "bytes": "return self.send({}).content"}
_FILES = {"nothing": "None", "text": "str", "bytes": "bytes"}


def modules(api: Api, version: str) -> dict[str, str]:
    """File name → source."""
    return {
        "models.py": _models(api),
        "client.py": _client(api),
        "version.py": (
            f'"""The version of the API that the types here are of."""\n\nAPI_VERSION = "{version}"\n'
        ),
    }


def typed(shape: Shape, within: str = "") -> str:  # noqa: PLR0911  # one for each shape
    """A shape as Python writes it; `within` stands before names of models."""
    match shape:
        case Plain(kind):
            return _PLAIN[kind]
        case Words(words, is_open):
            literal = f"Literal[{', '.join(_quoted(word) for word in words)}]"
            return f"{literal} | str" if is_open else literal
        case Reference(name):
            return within + name
        case Grown(name):
            return f"{within}{name} | str"
        case Array(of):
            return f"list[{typed(of, within)}]"
        case Mapping(of):
            return f"dict[str, {typed(of, within)}]"
        case Union(of):
            return " | ".join(typed(each, within) for each in of)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _documented(text: str, indent: str) -> str:
    """A docstring that no text of the document can end."""
    safe = printable(text).replace("\\", "\\\\").replace('"""', "'''")
    wrapped = paragraphs(safe, indent)
    wrapped += " " if wrapped.endswith('"') else ""
    return f'{indent}"""{wrapped}"""\n' if "\n" not in wrapped else f'{indent}"""{wrapped}\n{indent}"""\n'


def _models(api: Api) -> str:
    parts = [
        '"""Requests and answers, as the API writes them. What has no NotRequired is always there."""\n',
        "from __future__ import annotations\n",
        "from typing import Literal, NotRequired, TypeAlias, TypedDict\n",
        *(_model(model) for model in api.models),
    ]
    if api.events:
        union = _quoted(" | ".join(api.events))
        parts.append(f"WebhookEvent: TypeAlias = {union}\n" + _documented("What a webhook delivers.", ""))
    return "\n".join(parts)


def _model(model: Model) -> str:
    if model.alias is not None:
        return f"{model.name}: TypeAlias = {typed(model.alias)!r}\n" + _documented(model.about, "")
    if any(not each.name.isidentifier() or keyword.iskeyword(each.name) for each in model.fields):
        return _model_with_strange_names(model)
    lines = [f"\nclass {model.name}(TypedDict):\n", _documented(model.about, _STEP)]
    for each in model.fields:
        lines.append(f"\n{_STEP}{each.name}: {_wanted(each)}\n")
        lines += [_documented(each.about, _STEP)] if each.about else []
    return "".join(lines)


def _model_with_strange_names(model: Model) -> str:
    fields = "".join(f"{_STEP}{_quoted(each.name)}: {_wanted(each)!r},\n" for each in model.fields)
    opened = f"{model.name} = TypedDict({_quoted(model.name)}, {{\n"
    return f"\n{opened}{fields}}})\n" + _documented(model.about, "")


def _wanted(field: Field) -> str:
    written = typed(field.shape)
    return written if field.required else f"NotRequired[{written}]"


def _client(api: Api) -> str:
    parts = [
        '"""Every operation of the API. A method is named as its operationId is."""\n',
        "from __future__ import annotations\n",
        "from typing import Literal, cast\n",
        "from comptoir_client import models",
        "from comptoir_client.call import Call",
        "from comptoir_client.connection import Connection\n\n",
        "class Comptoir(Connection):",
        f'{_STEP}"""One gateway, called as one caller."""\n',
        *(_method(operation) for operation in api.operations),
    ]
    return "\n".join(parts)


def _method(operation: Operation) -> str:
    arguments = [*_arguments(operation)]
    names = [name.partition(":")[0] for name in arguments]
    if len(set(names)) != len(names):
        raise ValueError(f"{operation.name} has two parameters of one name")
    answers = operation.answer
    returned = _FILES[answers] if isinstance(answers, str) else typed(answers, "models.")
    signature = "".join(f"{_STEP * 2}{each},\n" for each in ("self", *arguments))
    call = f"Call(\n{''.join(f'{_STEP * 3}{each},{chr(10)}' for each in _call(operation))}{_STEP * 2})"
    if isinstance(answers, str):
        done = _READ[answers].format("call")
    else:
        done = f"return cast({_quoted(returned)}, self._json(call))"
    return (
        f"{_STEP}def {snake(operation.name)}(\n{signature}{_STEP}) -> {returned}:\n"
        f"{_documented(_about(operation), _STEP * 2)}"
        f"{_STEP * 2}call = {call}\n{_STEP * 2}{done}\n"
    )


def _arguments(operation: Operation) -> Iterator[str]:
    for each in operation.in_path:
        yield f"{snake(each.name)}: {typed(each.shape, 'models.')}"
    if operation.body is not None:
        written = typed(operation.body.shape, "models.")
        yield f"body: {written}" if operation.body.required else f"body: {written} | None = None"
    named = [
        *(
            f"{snake(each.name)}: {typed(each.shape, 'models.')}{'' if each.required else ' | None = None'}"
            for each in operation.in_query
        ),
        *(["idempotency_key: str | None = None"] if operation.keyed else []),
        *(["if_match: str | None = None"] if operation.conditional else []),
    ]
    if named:
        yield "*"
        yield from named


def _call(operation: Operation) -> Iterator[str]:
    yield f'method="{operation.method}"'
    yield f"path={_quoted(operation.path)}"
    for place, fields in (("in_path", operation.in_path), ("in_query", operation.in_query)):
        if fields:
            pairs = ", ".join(f"{_quoted(each.name)}: {snake(each.name)}" for each in fields)
            yield f"{place}={{{pairs}}}"
    if operation.body is not None:
        yield "body=body"
        yield f'content_type="{operation.content_type}"'
    if operation.keyed:
        yield "keyed=True"
        yield "idempotency_key=idempotency_key"
    if operation.conditional:
        yield "if_match=if_match"


def _about(operation: Operation) -> str:
    told = [*operation.in_path, *operation.in_query]
    lines = [operation.about, "", "Args:"] if told or operation.body else [operation.about]
    lines += [f"    {snake(each.name)}: {' '.join(each.about.split()) or 'Not described.'}" for each in told]
    if operation.body is not None:
        lines.append(f"    body: {operation.body.about or 'What is asked for.'}")
    return "\n".join(lines)
