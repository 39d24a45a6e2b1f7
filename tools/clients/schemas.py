"""JSON schemas to shapes. What cannot be said as a type is refused, never typed loosely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from tools.clients.shapes import NOTHING, Array, Field, Grown, Model, Plain, Reference, Shape, Union, Words
from tools.clients.shapes import Mapping as MappingShape

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Object: TypeAlias = Mapping[str, Json]

_SAYS_NO_SHAPE = {
    "$comment", "contentEncoding", "contentMediaType", "default", "deprecated", "description", "example",
    "examples", "exclusiveMaximum", "exclusiveMinimum", "externalDocs", "format", "maxItems", "maxLength",
    "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "pattern",
    "readOnly", "title", "uniqueItems", "writeOnly",
}  # fmt: skip
_SAYS_A_SHAPE = {
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "enum", "items", "oneOf", "properties",
    "required", "type",
}  # fmt: skip
_PLAIN: Mapping[str, Plain] = {
    "string": Plain("text"),
    "integer": Plain("integer"),
    "number": Plain("number"),
    "boolean": Plain("boolean"),
    "null": NOTHING,
}
_REFERENCE = "#/components/schemas/"


class Unsupported(Exception):
    """The document says something that the generator has no type for."""


def entries(value: Json, place: str) -> dict[str, Json]:
    """An object of the document. Raises Unsupported when it is none."""
    if not isinstance(value, dict):
        raise Unsupported(f"{place} is no object")
    return value


def texts(value: Json, place: str) -> list[str]:
    """A list of texts of the document. Raises Unsupported when it is none."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unsupported(f"{place} is no list of texts")
    return [str(each) for each in value]


def text(value: Json) -> str:
    """A text of the document, empty when there is none."""
    return value if isinstance(value, str) else ""


def pascal(name: str) -> str:
    """booking.arrived → BookingArrived, next_page → NextPage."""
    parts = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "".join(part[0].upper() + part[1:] for part in parts)


class Reader:
    """Reads schemas into shapes, and makes a model of each object, named for where it stands if need be."""

    def __init__(self, schemas: Object, *, received: Iterable[str] = ()) -> None:
        """`received` are the schemas that answers are made of: their enums may gain words."""
        self.models: dict[str, Model] = {}
        self._schemas = schemas
        self._received = frozenset(received)
        self._open = False

    def read_components(self) -> None:
        """Every named schema."""
        for name, schema in self._schemas.items():
            self.define(name, entries(schema, name), received=name in self._received)

    def define(self, name: str, schema: Object, *, received: bool) -> Reference:
        """Makes a model of that name. Raises Unsupported when another one has it."""
        if name in self.models:
            raise Unsupported(f"there are two schemas called {name}")
        before, self._open = self._open, received and "enum" not in schema
        about = text(schema.get("description"))
        try:
            if _is_object(schema):
                self.models[name] = Model(name, about)  # keeps its place, and its name from those within it
                self.models[name] = Model(name, about, self._fields(name, schema))
            else:
                self.models[name] = Model(name, about, alias=self.shape(schema, name))
        finally:
            self._open = before
        return Reference(name)

    def shape(self, schema: Object, place: str) -> Shape:  # noqa: PLR0911  # one for each kind
        """The shape of a schema. Raises Unsupported, with `place`."""
        strange = schema.keys() - _SAYS_NO_SHAPE - _SAYS_A_SHAPE
        strange = {word for word in strange if not word.startswith("x-")}
        if strange:
            raise Unsupported(f"{place} uses {', '.join(sorted(strange))}")
        match schema:
            case {"$ref": str(target)}:
                return self._reference(target, place)
            case {"const": str(word)}:
                return Words((word,))
            case {"enum": list(words)}:
                return self._words(words)
            case {"allOf": [only]}:
                return self.shape(entries(only, place), place)
            case {"allOf": _}:
                raise Unsupported(f"{place} is several things at once")
            case {"oneOf": list(several)} | {"anyOf": list(several)} if "type" not in schema:
                return self._one_of(several, place)
            case {"type": list(kinds)}:
                return union(self._of_kind(text(kind), schema, place) for kind in kinds)
            case {"type": str(kind)}:
                return self._of_kind(kind, schema, place)
        return self._untyped(schema, place)

    def _untyped(self, schema: Object, place: str) -> Shape:
        """Bounds and patterns of texts are sometimes all that a branch says."""
        if schema.keys() & {"properties", "items", "additionalProperties"}:
            raise Unsupported(f"{place} does not say its type")
        texty = schema.keys() & {"pattern", "minLength", "maxLength"}
        return Plain("text" if texty else "anything")

    def _reference(self, target: str, place: str) -> Shape:
        name = target.removeprefix(_REFERENCE)
        if name == target or name not in self._schemas:
            raise Unsupported(f"{place} refers to {target}")
        grows = self._open and "enum" in entries(self._schemas[name], name)
        return Grown(name) if grows else Reference(name)

    def _words(self, words: list[Json]) -> Shape:
        named = tuple(word for word in words if isinstance(word, str))
        rest = [_constant(word) for word in words if not isinstance(word, str)]
        return union([*([Words(named, self._open)] if named else []), *rest])

    def _one_of(self, several: list[Json], place: str) -> Shape:
        return union(
            self.shape(entries(each, place), f"{place}{number}") for number, each in enumerate(several, 1)
        )

    def _of_kind(self, kind: str, schema: Object, place: str) -> Shape:
        if kind in _PLAIN:
            return _PLAIN[kind]
        if kind == "array":
            return Array(self.shape(entries(schema.get("items", {}), place), f"{place}Item"))
        if kind != "object":
            raise Unsupported(f"{place} is of type {kind!r}")
        if _is_object(schema):
            return self.define(place, schema, received=self._open)
        more = schema.get("additionalProperties", True)
        of = self.shape(more, f"{place}Value") if isinstance(more, dict) else Plain("anything")
        return MappingShape(of)

    def _fields(self, name: str, schema: Object) -> tuple[Field, ...]:
        required = texts(schema.get("required", []), name)
        properties = entries(schema.get("properties", {}), name)
        unknown = set(required) - properties.keys()
        if unknown or schema.keys() & {"anyOf", "oneOf", "allOf"}:
            raise Unsupported(f"{name} is more than its properties")
        return tuple(
            Field(
                property_name,
                self.shape(entries(each, name), name + pascal(property_name)),
                property_name in required,
                text(entries(each, name).get("description")),
            )
            for property_name, each in properties.items()
        )


def union(shapes: Iterable[Shape]) -> Shape:
    """All of them, each once, null last; one alone stands for itself."""
    flat: list[Shape] = []
    for shape in shapes:
        for each in shape.of if isinstance(shape, Union) else (shape,):
            if each not in flat:
                flat.append(each)
    flat.sort(key=lambda each: each == NOTHING)
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def _is_object(schema: Object) -> bool:
    """Whether its properties are named, so that it makes a model."""
    closed = schema.get("additionalProperties") is False
    return schema.get("type") == "object" and ("properties" in schema or closed)


def _constant(value: Json) -> Plain:
    match value:
        case None:
            return NOTHING
        case bool():
            return Plain("boolean")
        case int():
            return Plain("integer")
    return Plain("anything")
