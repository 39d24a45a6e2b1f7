"""SCIM filters (RFC 7644 §3.4.2.2) as SQL. Parsing is the library's; no part of a filter becomes SQL text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize
from uuid import UUID

import sqlalchemy as sa
from scim2_models import InvalidFilterException
from scim2_models.path import (
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)

from servicekit import ids
from servicekit.errors import AppError, Internal

Condition = sa.ColumnElement[bool]
_FULL_UNICODE = "pg_unicode_fast"
"""PostgreSQL's own collation that maps case as Python does."""


@dataclass(frozen=True, slots=True)
class TextAttribute:
    """A column of text, or an expression that is never null."""

    column: sa.ColumnElement[Any]
    exact: bool = False
    """Whether upper and lower case differ."""

    def compare(self, op: CompareOperator, value: object) -> Condition:
        """Never null, so that it can be negated."""
        if value is None:
            return _null(self.column, op)
        text = normalize("NFC", str(value))
        wanted = text if self.exact else normalize("NFC", text.lower())
        if not _fits(wanted):
            return sa.literal(op is CompareOperator.ne)
        column = self.column if self.exact else sa.func.lower(sa.collate(self.column, _FULL_UNICODE))
        column = sa.func.normalize(column)
        there = self.column.is_not(None)
        if op is CompareOperator.ne:
            return sa.or_(~there, column != wanted)
        offered = {
            CompareOperator.eq: column == wanted,
            CompareOperator.co: sa.func.strpos(column, wanted) > 0,
            CompareOperator.sw: sa.func.starts_with(column, wanted),
            CompareOperator.ew: sa.func.right(column, len(wanted)) == wanted,
        }
        if op not in offered:
            raise _not_offered(op)
        return sa.and_(there, offered[op])

    def present(self) -> Condition:
        """Whether there is a value that is not empty."""
        return sa.and_(self.column.is_not(None), self.column != "")


@dataclass(frozen=True, slots=True)
class IdAttribute:
    """Typed ids: only equal or not. `having` says whether the resource has this id, `some` whether any."""

    prefix: str
    having: Callable[[UUID], Condition]
    some: Condition

    def compare(self, op: CompareOperator, value: object) -> Condition:
        """An id that is none is nobody's."""
        if op not in (CompareOperator.eq, CompareOperator.ne):
            raise _not_offered(op)
        if value is None:
            return ~self.some if op is CompareOperator.eq else self.some
        try:
            found = self.having(ids.parse(self.prefix, str(value), Internal))
        except AppError:
            found = sa.literal(False)
        return found if op is CompareOperator.eq else ~found

    def present(self) -> Condition:
        """Whether there is one."""
        return self.some


@dataclass(frozen=True, slots=True)
class BooleanAttribute:
    """A condition that always has an answer."""

    holds: Condition

    def compare(self, op: CompareOperator, value: object) -> Condition:
        """Equal or not; the library has refused all else."""
        said = {"true": True, "false": False}.get(str(value).lower())
        if said is None:
            return sa.literal(op is CompareOperator.ne)
        wanted = self.holds if said else ~self.holds
        return wanted if op is CompareOperator.eq else ~wanted

    def present(self) -> Condition:
        """Always."""
        return sa.literal(True)


Attribute = TextAttribute | IdAttribute | BooleanAttribute


@dataclass(frozen=True, slots=True)
class Filterable:
    """What resources of a kind can be filtered by, by names in lower case."""

    attributes: Mapping[str, Attribute]
    multi_valued: Mapping[str, Callable[["Filterable", FilterNode], Condition]]
    """How a selection in brackets is looked for among the values of an attribute."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Which resources are looked for."""

    node: FilterNode | None = None
    """None for all."""
    lenient: bool = False
    """Whether an attribute that a kind lacks is as if it had no value: for searches over several kinds."""


def where(filterable: Filterable, matching: Matching) -> Condition:
    """The condition that a filter means.

    Raises:
        InvalidFilterException: it asks for what is not offered.
    """
    if matching.node is None:
        return sa.literal(True)
    return _Where(filterable, lenient=matching.lenient).visit(matching.node)


class _Where(FilterVisitor[Condition]):
    def __init__(self, filterable: Filterable, within: str = "", *, lenient: bool = False) -> None:
        self._filterable = filterable
        self._within = within
        self._lenient = lenient

    def visit_comparison(self, node: Comparison) -> Condition:
        attribute = self._attribute(node)
        return sa.literal(False) if attribute is None else attribute.compare(node.op, node.value)

    def visit_present(self, node: Present) -> Condition:
        attribute = self._attribute(node)
        return sa.literal(False) if attribute is None else attribute.present()

    def visit_not(self, node: Not) -> Condition:
        return sa.not_(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> Condition:
        join = sa.and_ if node.op is LogicalOperator.and_ else sa.or_
        return join(*(self.visit(each) for each in node.terms))

    def visit_value_path(self, node: ValuePath) -> Condition:
        name = node.attr_path.attr.lower()
        select = self._filterable.multi_valued.get(name)
        if select is None or self._within:
            if self._lenient:
                return sa.literal(False)
            raise InvalidFilterException(detail=f"{name} cannot be filtered by")
        return select(self._filterable, node.val_filter)

    def _attribute(self, node: Comparison | Present) -> Attribute | None:
        path = node.attr_path
        name = ".".join(each.lower() for each in (self._within, path.attr, path.sub_attr) if each)
        if name in self._filterable.multi_valued:
            name += ".value"
        found = self._filterable.attributes.get(name)
        if found is None and not self._lenient:
            raise InvalidFilterException(detail=f"{name} cannot be filtered by")
        return found


def within(name: str, filterable: Filterable, node: FilterNode) -> Condition:
    """A selection in brackets, read on the one value that the attribute has."""
    return _Where(filterable, name).visit(node)


def _null(column: sa.ColumnElement[Any], op: CompareOperator) -> Condition:
    if op is CompareOperator.eq:
        return column.is_(None)
    return column.is_not(None) if op is CompareOperator.ne else sa.literal(False)


def _fits(text: str) -> bool:
    """Whether a database could hold the text at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _not_offered(op: CompareOperator) -> InvalidFilterException:
    return InvalidFilterException(detail=f"the operator {op} is not offered here")
