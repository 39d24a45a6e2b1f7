"""Keyset pages (AIP-158): opaque tokens with the last row's sort key and their list. They grant nothing."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from servicekit.errors import InvalidPageToken

T = TypeVar("T")

_DEFAULT = 50
_MOST = 200


def moment(text: str) -> datetime:
    """The part of a sort key that is an instant.

    Raises:
        InvalidPageToken: it is none, or none that a database can hold.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise InvalidPageToken
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidPageToken from error


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows to read: at most `size` after `after`, a sort key whose last part is unique."""

    size: int
    after: tuple[str, ...] | None
    scope: str

    def next_token(self, last: Sequence[str]) -> str:
        """The token of the page after the row whose sort key is `last`."""
        raw = json.dumps([self.scope, *last], separators=(",", ":"), ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def cut(
        self, whole: Iterable[T], key: Callable[[T], tuple[str, ...]], *, newest_first: bool = False
    ) -> tuple[list[T], str]:
        """This page of a list short enough to be read whole, in the order of `key`, and the next token.

        `key` has as many parts as the page was read with, and is unique.
        """
        rest = sorted(whole, key=key, reverse=newest_first)
        if (after := self.after) is not None:
            rest = [each for each in rest if (key(each) < after if newest_first else key(each) > after)]
        shown = rest[: self.size]
        return shown, self.next_token(key(shown[-1])) if len(rest) > self.size else ""


def page(size: int, token: str, *filters: str, keys: int) -> Page:
    """Reads a request's page fields: size 0 means 50, more than 200 mean 200. `keys`: parts of the sort key.

    Raises:
        InvalidPageToken: the token was made for other filters, or not by us.
    """
    scope = hashlib.sha256("\x00".join(filters).encode()).hexdigest()[:16]
    size = min(size or _DEFAULT, _MOST)
    if not token:
        return Page(size, None, scope)
    try:
        parts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise InvalidPageToken from error
    if (
        not isinstance(parts, list)
        or len(parts) != keys + 1
        or not all(isinstance(part, str) for part in parts)
    ):
        raise InvalidPageToken
    if parts[0] != scope:
        raise InvalidPageToken
    return Page(size, tuple(parts[1:]), scope)
