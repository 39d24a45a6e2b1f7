"""What people type in, refused where no database and no mail would take it, or where it makes no sense."""

import unicodedata
from typing import NoReturn

from servicekit.errors import AppError, InvalidRequest, Kind, Violation

_LINE_BREAKS = frozenset("\n\r\t")


class Inconsistent(AppError):
    """Fields that are right by themselves do not go together, or with the venue."""

    kind = Kind.UNPROCESSABLE
    reason = "INCONSISTENT_REQUEST"
    detail = "Parts of the request do not go together; see errors."


def one_line(pointer: str, text: str) -> str:
    """The text, normalised (NFC) and stripped; may be empty.

    Raises:
        InvalidRequest: it holds control characters.
    """
    line = unicodedata.normalize("NFC", text.strip())
    if _holds_control_characters(line):
        _refuse(pointer, "must not hold control characters")
    return line


def name(pointer: str, text: str) -> str:
    """As `one_line`, and never empty.

    Raises:
        InvalidRequest: it is blank or holds control characters.
    """
    line = one_line(pointer, text)
    if not line:
        _refuse(pointer, "must not be blank")
    return line


def several_lines(pointer: str, text: str) -> str:
    """As `one_line`, with line breaks and tabs.

    Raises:
        InvalidRequest: it holds other control characters.
    """
    lines = unicodedata.normalize("NFC", text.strip())
    if _holds_control_characters("".join(each for each in lines if each not in _LINE_BREAKS)):
        _refuse(pointer, "must not hold control characters")
    return lines


def refuse(pointer: str, message: str) -> NoReturn:
    """Raises Inconsistent for one field, named by its JSON Pointer."""
    raise Inconsistent(violations=[Violation(pointer, message)])


def _refuse(pointer: str, message: str) -> NoReturn:
    raise InvalidRequest(violations=[Violation(pointer, message)])


def _holds_control_characters(text: str) -> bool:
    return any(unicodedata.category(each) == "Cc" for each in text)
