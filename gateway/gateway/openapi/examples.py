"""An example for every schema: the same one each time, and always one that keeps to its schema."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.openapi.samples import NUMBERS, OTHERS, TEXTS, TOLD, WORDS, typed_id
from gateway.openapi.schemas import Schema
from gateway.openapi.words import OF_HOLDERS, WORDS_OF_FIELDS

_PLAIN = ("Chez Paulette", "chez-paulette", "x" * 8, "x" * 43, "")
_NESTED = 6
_MOST_OPTIONAL = 3


class NoExample(ValueError):
    """None of the samples keeps to a schema: `samples` lacks one."""


class Examples:
    """Examples for the schemas of one document."""

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self._named = named

    def answer(self, schema: Schema) -> Any:
        """What an answer looks like: with everything that it may hold."""
        return self._value(schema, "", "", whole=True, around=())

    def request(self, schema: Schema) -> Any:
        """What a request looks like: with what it needs, and a little more where that is nothing."""
        return self._value(schema, "", "", whole=False, around=())

    def parameter(self, schema: Schema, name: str) -> Any:
        """A value of a parameter."""
        return self._value(schema, name, "", whole=False, around=())

    def _value(self, schema: Schema, name: str, holder: str, *, whole: bool, around: tuple[str, ...]) -> Any:
        if "$ref" in schema:
            named = schema["$ref"].rpartition("/")[2]
            return self._value(self._named[named], name, named, whole=whole, around=(*around, named))
        kind = _kind(schema)
        if "anyOf" in schema and kind is None:
            return self._value(schema["anyOf"][0], name, holder, whole=whole, around=around)
        if kind == "object":
            return self._object(schema, holder, whole=whole, around=around)
        if kind == "array":
            return self._array(schema, name, holder, whole=whole, around=around)
        return _scalar(schema, kind, name, holder)

    def _object(self, schema: Schema, holder: str, *, whole: bool, around: tuple[str, ...]) -> dict[str, Any]:
        needed = schema.get("required", [])
        fields = schema.get("properties", {})
        wanted = [
            name
            for name, field in fields.items()
            if name in needed or (self._ends(field, around) and (whole or name in TOLD))
        ]
        if not whole and not wanted:
            simple = [name for name, field in fields.items() if _kind(field) not in (None, "array", "object")]
            wanted = [name for name in simple if name != "expected_version"][:_MOST_OPTIONAL]
        return {name: self._value(fields[name], name, holder, whole=whole, around=around) for name in wanted}

    def _ends(self, field: Schema, around: tuple[str, ...]) -> bool:
        """Whether a field may be shown: no message is shown within itself."""
        found = field.get("items", field)
        reference = found.get("$ref") or next((each.get("$ref") for each in found.get("anyOf", [])), None)
        return reference is None or (reference.rpartition("/")[2] not in around and len(around) < _NESTED)

    def _array(
        self, schema: Schema, name: str, holder: str, *, whole: bool, around: tuple[str, ...]
    ) -> list[Any]:
        count = schema.get("minItems", 1 if self._ends(schema, around) else 0)
        items = schema["items"]
        found = [self._value(items, name, holder, whole=whole, around=around) for _ in range(max(count, 1))]
        if schema.get("uniqueItems") and count > 1:
            found[1] = typed_id(name, holder, another=True)
        return found if self._ends(schema, around) else []


def _kind(schema: Schema) -> str | None:
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) else kind


def _scalar(schema: Schema, kind: str | None, name: str, holder: str) -> Any:
    if "enum" in schema:
        known = [each for each in schema["enum"] if each]
        return next((each for each in WORDS if each in known), known[0])
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        wished = NUMBERS.get(name, 1)
        least = schema.get("minimum", schema.get("exclusiveMinimum", wished - 1) + 1)
        return max(least, min(wished, schema.get("maximum", wished)))
    return _text(schema, name, holder)


def _text(schema: Schema, name: str, holder: str) -> str:
    if schema.get("contentEncoding") == "base64":
        return "Y29tcHRvaXI="
    known = (
        OF_HOLDERS.get((holder, name)),
        typed_id(name, holder),
        TEXTS.get(name),
        WORDS_OF_FIELDS.get(name),
    )
    own = [each for each in known if each is not None]
    free = "pattern" not in schema or schema["pattern"].startswith("^[^")
    said = [] if "format" in schema or not free else [name.replace("_", " "), *_PLAIN]
    for candidate in (*own, *said, *OTHERS, *_PLAIN):
        if _fits(candidate, schema):
            return candidate
    raise NoExample(f"{holder}.{name}: {schema}")


def _fits(text: str, schema: Schema) -> bool:
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    if "pattern" in schema and not re.search(schema["pattern"], text):
        return False
    form = {"date-time": "T.*[Z+]", "date": "^.{10}$", "uri": "^https?:"}.get(schema.get("format", ""), "")
    choices = schema.get("anyOf")
    return bool(re.search(form, text)) and (choices is None or any(_fits(text, each) for each in choices))
