"""One call as it goes over the wire, before anything is sent."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote, urlencode

Value: TypeAlias = str | int | bool | Sequence[str] | None
"""A parameter of a query; None leaves it out."""

_KEY_BYTES = 16
_CHANGING_NOTHING_TWICE = {"GET", "PUT", "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a generated method asks for."""

    method: str
    path: str
    in_path: Mapping[str, str] = field(default_factory=dict)
    in_query: Mapping[str, Value] = field(default_factory=dict)
    body: object = None
    content_type: str = ""
    keyed: bool = False
    idempotency_key: str | None = None
    if_match: str | None = None

    @property
    def target(self) -> str:
        """The path with its parameters, and the query.

        Raises:
            ValueError: a parameter of the path is empty, or would lead to another path.
        """
        path = self.path
        for name, value in self.in_path.items():
            if value in {"", ".", ".."}:
                raise ValueError(f"{name} must not be {value!r}")
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        pairs = [(name, word) for name, value in self.in_query.items() for word in _words(value)]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    @property
    def content(self) -> bytes | None:
        """The body's JSON, None without a body."""
        return None if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()

    def headers(self) -> dict[str, str]:
        """Of the call alone; without a key given, a new key each time that this is asked."""
        found: dict[str, str] = {}
        if self.body is not None:
            found["Content-Type"] = self.content_type
        if self.keyed:
            found["Idempotency-Key"] = self.idempotency_key or secrets.token_hex(_KEY_BYTES)
        if self.if_match is not None:
            found["If-Match"] = self.if_match
        return found

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice has the effect of doing it once."""
        return self.keyed or self.method in _CHANGING_NOTHING_TWICE


def _words(value: Value) -> Sequence[str]:
    match value:
        case None:
            return ()
        case bool():
            return ("true" if value else "false",)
        case str() | int():
            return (str(value),)
    return value
