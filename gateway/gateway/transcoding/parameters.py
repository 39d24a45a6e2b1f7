"""Query parameters and path variables → message fields, by dotted name, as google.api.http lays down."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.reading import Read, field_reader
from gateway.transcoding.times import FILL
from gateway.transcoding.values import ContractUnsupported, Wrong, from_text
from servicekit.errors import Violation

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a request that travels as text."""

    name: str
    """Dotted: "deposit.amount"."""
    field: FieldDescriptor
    pointer: str
    parents: tuple[str, ...]
    parse: Callable[[str], Any]
    put: Read

    def read(self, message: Any, texts: Sequence[str], violations: list[Violation]) -> None:
        """Puts the texts into the message, or adds what is wrong with them."""
        if len(texts) > 1 and not self.field.is_repeated:
            violations.append(Violation(self.pointer, "must be given once"))
            return
        try:
            values = [self.parse(text) for text in texts]
        except Wrong as wrong:
            violations.append(Violation(self.pointer, str(wrong)))
            return
        for parent in self.parents:
            message = getattr(message, parent)
        self.put(message, values if self.field.is_repeated else values[0], self.pointer, violations)


def parameter(descriptor: Descriptor, name: str) -> Parameter:
    """One field of a request by its dotted name.

    Raises ContractUnsupported at start: it is not there, or no text can stand for it.
    """
    field = _field(descriptor, name)
    if field is None or (field.message_type is not None and not is_text(field)):
        raise ContractUnsupported(f"{descriptor.full_name}: no parameter {name}")
    pointer = "/" + name.replace(".", "/")
    parents = tuple(name.split(".")[:-1])
    return Parameter(name, field, pointer, parents, from_text(field), field_reader(field))


def names_one_string(descriptor: Descriptor, name: str) -> bool:
    """Whether a dotted name is that of a field of a request that holds one string."""
    field = _field(descriptor, name)
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated


def _field(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    """The field of a dotted name; None where there is none, or it is in a list."""
    *parents, last = name.split(".")
    for parent in parents:
        found = descriptor.fields_by_name.get(parent)
        if found is None or found.message_type is None or found.is_repeated:
            return None
        descriptor = found.message_type
    return descriptor.fields_by_name.get(last)


def parameter_names(descriptor: Descriptor, prefix: str = "") -> Iterator[str]:
    """Every field of a request that a text can stand for, by dotted name, in the contract's order.

    Raises ContractUnsupported at start: nesting without end, or a list of messages.
    """
    for field in descriptor.fields:
        name = prefix + field.name
        if field.message_type is None or is_text(field):
            yield name
        elif field.is_repeated or name.count(".") >= _DEEPEST:
            raise ContractUnsupported(f"{field.full_name}: cannot be a query parameter")
        else:
            yield from parameter_names(field.message_type, name + ".")


def is_text(field: FieldDescriptor) -> bool:
    """Whether the field is a message that JSON shows as a text."""
    return field.message_type is not None and field.message_type.full_name in FILL
