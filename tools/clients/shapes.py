"""What a client has to know of the API, in words that belong to no language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Plain:
    """A JSON value that needs no name. `anything` is for what the document leaves open."""

    kind: Literal["text", "integer", "number", "boolean", "null", "anything"]


@dataclass(frozen=True, slots=True)
class Words:
    """One of some texts. What is `open` may be another one tomorrow: answers gain words, requests do not."""

    words: tuple[str, ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A shape that has a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Grown:
    """A word of a named enum, or one that the enum gains tomorrow."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of one shape."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Mapping:
    """An object whose names are data."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Union:
    """One of several, without doubles."""

    of: tuple[Shape, ...]


Shape: TypeAlias = Plain | Words | Reference | Grown | Array | Mapping | Union

NOTHING = Plain("null")

Answer: TypeAlias = Shape | Literal["nothing", "text", "bytes"]
"""What a success carries; "text" and "bytes" are files."""


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an object."""

    name: str
    shape: Shape
    required: bool
    about: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A named shape: an object of `fields`, or another name for `alias`."""

    name: str
    about: str
    fields: tuple[Field, ...] = ()
    alias: Shape | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One call."""

    name: str
    method: str
    path: str
    about: str
    in_path: tuple[Field, ...] = ()
    in_query: tuple[Field, ...] = ()
    body: Field | None = None
    content_type: str = ""
    answer: Answer = "nothing"
    keyed: bool = False
    """Whether it honours an Idempotency-Key."""
    conditional: bool = False
    """Whether it honours If-Match."""


@dataclass(frozen=True, slots=True)
class Api:
    """Everything, in the order of the document."""

    operations: tuple[Operation, ...]
    models: tuple[Model, ...]
    events: tuple[str, ...] = ()
    """The models that webhooks deliver."""
