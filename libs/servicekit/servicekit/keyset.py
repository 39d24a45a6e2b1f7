"""Lists read page by page, behind the last row's key, never by offset: what comes and goes moves no page."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicekit import paging
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.paging import Page

_BITS = ((sa.SmallInteger, 15), (sa.BigInteger, 63), (sa.Integer, 31))


class Keyset:
    """A query in the order of some columns, the last of which is unique among its rows. None may be NULL.

    `ORDER BY` and predicate both have every column: rows that share a sort value, like those of one
    transaction that share now(), are neither lost nor seen twice.
    """

    def __init__(self, query: sa.Select[Any], *keys: sa.Column[Any], newest_first: bool = False) -> None:
        self._keys = keys
        self._readers = [_reader(key.type) for key in keys]
        order = [key.desc() if newest_first else key.asc() for key in keys]
        self._first = (
            query.order_by(None).order_by(*order).limit(sa.bindparam("page_limit", type_=sa.Integer))
        )
        row = sa.tuple_(*keys)
        last = sa.tuple_(*(sa.bindparam(_name(number), type_=key.type) for number, key in enumerate(keys)))
        self._next = self._first.where(row < last if newest_first else row > last)

    async def read(
        self, tx: Transaction, page: Page, values: Mapping[str, Any]
    ) -> tuple[Sequence[sa.RowMapping], str]:
        """The rows of a page, and the token of the next one: empty on the last.

        Raises:
            InvalidPageToken: the page begins behind what is no key of this list.
        """
        query, limited = self._first, {**values, "page_limit": page.size + 1}
        if page.after is not None:
            query, limited = self._next, limited | self._position(page.after)
        rows = (await tx.execute(query, limited)).mappings().all()
        if len(rows) <= page.size:
            return rows, ""
        shown = rows[: page.size]
        return shown, page.next_token([_shown(shown[-1][key]) for key in self._keys])

    def _position(self, after: Sequence[str]) -> dict[str, Any]:
        try:
            parts = zip(self._readers, after, strict=True)
            return {_name(number): read(text) for number, (read, text) in enumerate(parts)}
        except ValueError as error:
            raise InvalidPageToken from error


def _name(number: int) -> str:
    return f"page_key_{number}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _reader(kind: sa.types.TypeEngine[Any]) -> Callable[[str], object]:
    """Reads a part of a key. What it raises is a ValueError, or InvalidPageToken."""
    match kind:
        case sa.Uuid():
            return UUID
        case sa.DateTime():
            return paging.moment
        case sa.Date():
            return date.fromisoformat
        case sa.Integer():
            largest = next(2**bits - 1 for each, bits in _BITS if isinstance(kind, each))
            return lambda text: _number(text, largest)
        case sa.ARRAY():
            read = _reader(kind.item_type)
            return lambda text: [read(part) for part in text.split(",")] if text else []
        case sa.Text():
            return _text
    message = f"no list can be sorted by {kind!r}"
    raise TypeError(message)


def _number(text: str, largest: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(largest)) or int(text) > largest:
        raise ValueError
    return int(text)


def _text(text: str) -> str:
    if "\x00" in text:
        raise ValueError
    text.encode()
    return text
