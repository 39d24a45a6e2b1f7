"""Single values: what JSON and texts may hold for each protobuf type. No error repeats the value."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway.transcoding.words import words

Convert = Callable[[Any], Any]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})")
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_LARGEST_FLOAT = 3.4028234663852886e38

INTEGERS: dict[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
"""Protobuf's integer types with their smallest and largest value."""


class Wrong(Exception):
    """A value that does not fit; its text is public."""


class ContractUnsupported(ValueError):
    """The contract uses something that has no JSON face here. Raised at start, never for a request."""


def from_json(field: FieldDescriptor) -> Convert:
    """What turns a JSON value into the field's; it raises Wrong."""
    if field.type in INTEGERS:
        return _integer(*INTEGERS[field.type])
    if field.enum_type is not None:
        return _word({word: number for number, word in words(field.enum_type).items()})
    if field.type not in _SIMPLE:
        raise ContractUnsupported(field.full_name)
    return _SIMPLE[field.type]


def from_text(field: FieldDescriptor) -> Callable[[str], Any]:
    """What turns the text of a query parameter or path variable into the JSON value it stands for."""
    if field.type in INTEGERS:
        return _integer_text
    match field.type:
        case FieldDescriptor.TYPE_BOOL:
            return _truth_text
        case FieldDescriptor.TYPE_DOUBLE | FieldDescriptor.TYPE_FLOAT:
            return _number_text
    return str


def _integer(smallest: int, largest: int) -> Convert:
    def convert(value: Any) -> int:
        if type(value) is float and value.is_integer():
            # JSON knows one kind of number: 2.0 is an integer (JSON Schema 2020-12 §6.1.1).
            value = int(value)
        if type(value) is not int:
            raise Wrong("must be an integer")
        if not smallest <= value <= largest:
            raise Wrong(f"must be between {smallest} and {largest}")
        return value

    return convert


def _number(largest: float) -> Convert:
    def convert(value: Any) -> float:
        if type(value) not in (int, float):
            raise Wrong("must be a number")
        if not -largest <= value <= largest or value in (math.inf, -math.inf):
            raise Wrong("is too large")
        return float(value)

    return convert


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Wrong("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Wrong("must be Unicode without lone surrogates") from None
    if "\x00" in value:
        raise Wrong("must not hold the character U+0000")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise Wrong("must be true or false")
    return value


def _word(numbers: dict[str, int]) -> Convert:
    refusal = f"must be one of: {', '.join(numbers)}"

    def convert(value: Any) -> int:
        number = numbers.get(value) if type(value) is str else None
        if number is None:
            raise Wrong(refusal)
        return number

    return convert


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value if type(value) is str else "*", validate=True)
    except (binascii.Error, ValueError):
        raise Wrong("must be base64 (RFC 4648 §4)") from None


def _integer_text(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Wrong("must be an integer")
    return int(text)


def _number_text(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise Wrong("must be a number")
    return float(text)


def _truth_text(text: str) -> bool:
    if text not in ("true", "false"):
        raise Wrong("must be true or false")
    return text == "true"


_SIMPLE: dict[int, Convert] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BOOL: _truth,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_DOUBLE: _number(math.inf),
    FieldDescriptor.TYPE_FLOAT: _number(_LARGEST_FLOAT),
}
