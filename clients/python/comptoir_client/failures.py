"""How a call fails: with a problem that the API names, or without an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class CallFailed(Exception):
    """Any failure of a call, after the repetition that it was worth."""


class Unreachable(CallFailed):
    """There was no answer: no connection, or none in time. What the call was to do may have been done."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is wrong with one place of a request."""

    pointer: str
    """JSON Pointer into the body, or the name of a parameter behind a slash."""
    message: str


class Problem(CallFailed):
    """The API refused: RFC 9457, with a `reason` that programs may rely on.

    `reason` is empty when something before the API answered, like a proxy.
    """

    def __init__(self, status: int, content: bytes, *, retry_after: float | None = None) -> None:
        """Reads `content` if it is a problem; `retry_after` is in seconds."""
        said = _object(content)
        self.status = status
        self.reason = _text(said.get("reason"))
        self.title = _text(said.get("title"))
        self.detail = _text(said.get("detail"))
        self.request_id = _text(said.get("request_id"))
        self.errors: Sequence[Place] = tuple(_places(said.get("errors")))
        self.metadata: Mapping[str, str] = {
            name: _text(value) for name, value in _entries(said.get("metadata")).items()
        }
        self.retry_after = retry_after
        super().__init__(f"{status} {self.reason or 'without a reason'}: {self.detail or self.title}")


def _object(content: bytes) -> dict[str, object]:
    try:
        return _entries(json.loads(content))
    except ValueError:
        return {}


def _entries(value: object) -> dict[str, object]:
    return {str(name): each for name, each in value.items()} if isinstance(value, dict) else {}


def _places(value: object) -> list[Place]:
    found = [_entries(each) for each in value] if isinstance(value, list) else []
    return [Place(_text(each.get("pointer")), _text(each.get("message"))) for each in found]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
