"""Calling functions of the database on bare connections."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import asyncpg as dialect


def parameters(**types: Any) -> list[sa.BindParameter[Any]]:
    """Named and typed parameters of a function, in its order."""
    return [sa.bindparam(name, type_=kind) for name, kind in types.items()]


def compiled(statement: sa.Select[*tuple[Any, ...]]) -> tuple[str, Sequence[str]]:
    """The same statement for the bare connection: its text and the order of its parameters."""
    made = statement.compile(dialect=dialect.dialect())  # type: ignore[no-untyped-call]
    return str(made), tuple(made.positiontup or ())
