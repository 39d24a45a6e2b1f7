"""JSON → message. Strict: what the contract does not know is refused, and every fault has its pointer."""

from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.times import FILL
from gateway.transcoding.values import ContractUnsupported, Wrong, from_json
from servicekit.errors import Violation

Read = Callable[[Any, Any, str, list[Violation]], None]
"""Puts a JSON value into a message, or adds what is wrong with it at a pointer."""

_LONGEST_NAME = 64
_NOTHING: frozenset[str] = frozenset()


@cache
def reader(descriptor: Descriptor, leaving_out: frozenset[str] = _NOTHING) -> Read:
    """Reads the JSON of a message; the fields named in `leaving_out` count as unknown.

    A null stands for an absent field. Raises ContractUnsupported at start.
    """
    fill = FILL.get(descriptor.full_name)
    if fill is not None:
        return _filler(fill)
    fields = {field.name: field_reader(field) for field in descriptor.fields if field.name not in leaving_out}

    def read(message: Any, value: Any, pointer: str, violations: list[Violation]) -> None:
        if type(value) is not dict:
            violations.append(Violation(pointer, "must be an object"))
            return
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                violations.append(Violation(f"{pointer}/{_escape(name)}", "is not a known field"))
            elif item is not None:
                field(message, item, f"{pointer}/{name}", violations)

    return read


@cache
def field_reader(field: FieldDescriptor) -> Read:
    """Reads the JSON of one field into the message that has it."""
    oneof = field.containing_oneof
    if oneof is not None and len(oneof.fields) > 1:
        raise ContractUnsupported(f"{field.full_name}: oneof in a request")
    if field.message_type is not None:
        if field.message_type.GetOptions().map_entry:
            raise ContractUnsupported(f"{field.full_name}: map in a request")
        read = reader(field.message_type)
        return _repeated_message(field.name, read) if field.is_repeated else _message(field.name, read)
    convert = from_json(field)
    return _repeated_value(field.name, convert) if field.is_repeated else _value(field.name, convert)


def _filler(fill: Callable[[Any, Any], None]) -> Read:
    def read(message: Any, value: Any, pointer: str, violations: list[Violation]) -> None:
        try:
            fill(message, value)
        except Wrong as wrong:
            violations.append(Violation(pointer, str(wrong)))

    return read


def _message(name: str, read_message: Read) -> Read:
    def read(message: Any, value: Any, pointer: str, violations: list[Violation]) -> None:
        inner = getattr(message, name)
        inner.SetInParent()
        read_message(inner, value, pointer, violations)

    return read


def _value(name: str, convert: Callable[[Any], Any]) -> Read:
    def read(message: Any, value: Any, pointer: str, violations: list[Violation]) -> None:
        try:
            setattr(message, name, convert(value))
        except Wrong as wrong:
            violations.append(Violation(pointer, str(wrong)))

    return read


def _repeated_message(name: str, read_message: Read) -> Read:
    def read(message: Any, value: Any, pointer: str, violations: list[Violation]) -> None:
        if type(value) is not list:
            violations.append(Violation(pointer, "must be an array"))
            return
        add = getattr(message, name).add
        for index, item in enumerate(value):
            read_message(add(), item, f"{pointer}/{index}", violations)

    return read


def _repeated_value(name: str, convert: Callable[[Any], Any]) -> Read:
    def read(message: Any, value: Any, pointer: str, violations: list[Violation]) -> None:
        if type(value) is not list:
            violations.append(Violation(pointer, "must be an array"))
            return
        append = getattr(message, name).append
        for index, item in enumerate(value):
            try:
                append(convert(item))
            except Wrong as wrong:
                violations.append(Violation(f"{pointer}/{index}", str(wrong)))

    return read


def _escape(name: str) -> str:
    """A foreign name as a pointer's last token (RFC 6901 §3); a long or odd one is not repeated."""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        return "?"
    return name.replace("~", "~0").replace("/", "~1")
