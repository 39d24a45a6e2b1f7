"""Bytes → JSON, as strictly as I-JSON (RFC 7493) allows: UTF-8, no NaN, no name twice, not too deep."""

import re
from typing import Any

import orjson

from gateway.errors import MalformedJson

_DEEPEST = 32
# On valid JSON this finds every string, and the colon behind those that are names.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"\s*+(:?)', re.DOTALL)


def load(raw: bytes) -> Any:
    """The document's value.

    Raises:
        MalformedJson: it is not such a document.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedJson from error
    if _count_names(value) != sum(map(len, _STRING.findall(raw))):
        raise MalformedJson
    return value


def _count_names(value: Any) -> int:
    """The names in all objects. Raises MalformedJson when they nest too deeply."""
    count = 0
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                count += len(item)
                below.extend(item.values())
            elif type(item) is list:
                below.extend(item)
        if not below:
            return count
        level = below
    raise MalformedJson
