"""The generated modules of the TypeScript client."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tools.clients.schemas import pascal
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
from tools.clients.wording import paragraphs, printable

_PLAIN = {
    "text": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "anything": "unknown",
}
_STEP = "  "
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_FILES = {"nothing": "void", "text": "string", "bytes": "Uint8Array"}
_READ = {"nothing": "sendForNothing", "text": "sendForText", "bytes": "sendForBytes"}


def modules(api: Api, version: str) -> dict[str, str]:
    """File name → source."""
    return {
        "models.ts": _models(api),
        "client.ts": _client(api),
        "version.ts": (
            "/** The version of the API that the types here are of. */\n"
            f"export const API_VERSION = {json.dumps(version)};\n"
        ),
    }


def typed(shape: Shape, within: str = "") -> str:  # noqa: PLR0911  # one for each shape
    """A shape as TypeScript writes it; `within` stands before names of models."""
    match shape:
        case Plain(kind):
            return _PLAIN[kind]
        case Words(words, is_open):
            literals = " | ".join(json.dumps(word) for word in words)
            return f"{literals} | (string & {{}})" if is_open else literals
        case Reference(name):
            return within + name
        case Grown(name):
            return f"{within}{name} | (string & {{}})"
        case Array(of):
            written = typed(of, within)
            return f"({written})[]" if isinstance(of, Grown | Union | Words) else f"{written}[]"
        case Mapping(of):
            return f"{{ [name: string]: {typed(of, within)} }}"
        case Union(of):
            return " | ".join(typed(each, within) for each in of)


def _documented(text: str, indent: str = "") -> str:
    """A comment that no text of the document can end."""
    safe = printable(text).replace("*/", "* /")
    wrapped = paragraphs(safe, f"{indent} * ")
    return (
        f"{indent}/** {wrapped} */\n"
        if "\n" not in wrapped
        else f"{indent}/**\n{indent} * {wrapped}\n{indent} */\n"
    )


def _property(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _models(api: Api) -> str:
    parts = [
        "/** Requests and answers, as the API writes them. What has no question mark is always there. */\n"
    ]
    parts += [_model(model) for model in api.models]
    if api.events:
        union = " | ".join(api.events)
        parts.append(f"{_documented('What a webhook delivers.')}export type WebhookEvent = {union};\n")
    return "\n".join(parts)


def _model(model: Model) -> str:
    about = _documented(model.about)
    if model.alias is not None:
        return f"{about}export type {model.name} = {typed(model.alias)};\n"
    return f"{about}export interface {model.name} {{\n{''.join(_fields(model.fields))}}}\n"


def _fields(fields: tuple[Field, ...]) -> Iterator[str]:
    for each in fields:
        about = _documented(each.about, _STEP) if each.about else ""
        yield f"{about}{_STEP}{_property(each.name)}{'' if each.required else '?'}: {typed(each.shape)};\n"


def _client(api: Api) -> str:
    parts = [
        "/** Every operation of the API. A method is named as its operationId is. */\n",
        'import { Connection, type Conditional, type Keyed } from "./connection.js";',
        'import type * as models from "./models.js";\n',
        *(_parameters(operation) for operation in api.operations if _has_parameters(operation)),
        "/** One gateway, called as one caller. */",
        "export class Comptoir extends Connection {",
        *(_method(operation) for operation in api.operations),
    ]
    return "\n".join(parts) + "}\n"


def _has_parameters(operation: Operation) -> bool:
    given = operation.in_path or operation.in_query or operation.body
    return bool(given or operation.keyed or operation.conditional)


def _parameters(operation: Operation) -> str:
    """The interface of what a method is given."""
    known = [*(["Keyed"] if operation.keyed else []), *(["Conditional"] if operation.conditional else [])]
    extends = f" extends {', '.join(known)}" if known else ""
    lines = [
        f"/** What `{operation.name}` is given. */\nexport interface {_call_name(operation)}{extends} {{\n"
    ]
    body = [operation.body] if operation.body else []
    names = [each.name for each in (*operation.in_path, *operation.in_query, *body)]
    if len(set(names)) != len(names):
        raise ValueError(f"{operation.name} has two parameters of one name")
    for each in (*operation.in_path, *operation.in_query, *body):
        written = typed(each.shape, "models.")
        optional = "" if each.required else "?"
        may_be_absent = "" if each.required else " | undefined"
        lines.append(_documented(each.about, _STEP) if each.about else "")
        lines.append(f"{_STEP}{_property(each.name)}{optional}: {written}{may_be_absent};\n")
    return "".join(lines) + "}\n"


def _call_name(operation: Operation) -> str:
    return f"{pascal(operation.name)}Call"


def _method(operation: Operation) -> str:
    answers = operation.answer
    returned = _FILES[answers] if isinstance(answers, str) else typed(answers, "models.")
    reads = _READ[answers] if isinstance(answers, str) else f"sendForJson<{returned}>"
    optional = not (
        operation.in_path
        or any(each.required for each in operation.in_query)
        or (operation.body and operation.body.required)
    )
    given = (
        f"call: {_call_name(operation)}{' = {}' if optional else ''}" if _has_parameters(operation) else ""
    )
    wanted = "".join(f"{_STEP * 3}{each},\n" for each in _call(operation))
    return (
        f"{_documented(operation.about, _STEP)}"
        f"{_STEP}{operation.name}({given}): Promise<{returned}> {{\n"
        f"{_STEP * 2}return this.{reads}({{\n{wanted}{_STEP * 2}}});\n{_STEP}}}\n"
    )


def _call(operation: Operation) -> Iterator[str]:
    yield f'method: "{operation.method}"'
    yield f"path: {json.dumps(operation.path)}"
    for place, fields in (("inPath", operation.in_path), ("inQuery", operation.in_query)):
        if fields:
            pairs = ", ".join(f"{_property(each.name)}: call[{json.dumps(each.name)}]" for each in fields)
            yield f"{place}: {{ {pairs} }}"
    if operation.body is not None:
        yield "body: call.body"
        yield f"contentType: {json.dumps(operation.content_type)}"
    if operation.keyed:
        yield "keyed: true"
        yield "idempotencyKey: call.idempotencyKey"
    if operation.conditional:
        yield "ifMatch: call.ifMatch"
