"""Enums as words: BOOKING_STATUS_CONFIRMED ⇄ "confirmed". The zero value means "not said" and has no word."""

import re
from functools import cache

from google.protobuf.descriptor import EnumDescriptor

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@cache
def words(enum: EnumDescriptor) -> dict[int, str]:
    """The word of every value but zero, in the contract's order."""
    prefix = _HUMP.sub("_", enum.name).upper() + "_"
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values if value.number}
