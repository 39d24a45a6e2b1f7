"""Message → JSON. Strings, numbers, booleans and lists are always shown, unset messages and enums never."""

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.times import SHOW
from gateway.transcoding.values import ContractUnsupported
from gateway.transcoding.words import words

Write = Callable[[Any], Any]
"""The JSON value of a field's value, for orjson; None leaves the field out."""


@cache
def writer(descriptor: Descriptor) -> Write:
    """Shows a message. Raises ContractUnsupported at start."""
    text = SHOW.get(descriptor.full_name)
    if text is not None:
        return text
    fields = tuple((field.name, _may_be_unset(field), _shower(field)) for field in descriptor.fields)

    def write(message: Any) -> dict[str, Any]:
        # One flat loop: a call per field would cost a third more (tools.bench.converter).
        out: dict[str, Any] = {}
        is_set = message.HasField
        for name, may_be_unset, show in fields:
            if may_be_unset and not is_set(name):
                continue
            value = getattr(message, name)
            if show is not None:
                value = show(value)
                if value is None:
                    continue
            out[name] = value
        return out

    return write


def _may_be_unset(field: FieldDescriptor) -> bool:
    return field.has_presence and not field.is_repeated


def _shower(field: FieldDescriptor) -> Write | None:
    """What turns the field's value into JSON; None when it is JSON already."""
    show: Write | None = None
    if field.message_type is not None:
        if field.message_type.GetOptions().map_entry:
            raise ContractUnsupported(f"{field.full_name}: map in an answer")
        show = writer(field.message_type)
    elif field.enum_type is not None:
        show = words(field.enum_type).get
    elif field.type == FieldDescriptor.TYPE_BYTES:
        show = _base64
    return _each(show) if field.is_repeated else show


def _each(show: Write | None) -> Write:
    if show is None:
        return list
    return lambda values: [shown for value in values if (shown := show(value)) is not None]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
