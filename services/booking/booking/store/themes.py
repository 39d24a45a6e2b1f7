"""Copies of how organizations look. An older one never replaces a newer one."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from booking.domain.themes import Theme
from booking.tables import THEMES
from servicekit.database import Transaction

COLUMNS = ("name", "logo_url", "background", "text", "accent")
_insert = insert(THEMES)
_NOTE = _insert.on_conflict_do_update(
    index_elements=["organization_id"],
    set_={name: _insert.excluded[name] for name in ("version", *COLUMNS)},
    where=THEMES.c.version < _insert.excluded.version,
)
_GET = sa.select(*(THEMES.c[name] for name in COLUMNS))


async def note_theme(tx: Transaction, version: int, theme: Theme) -> bool:
    """Remembers how the tenant looks from now on; False when as new a version is known."""
    values = {"organization_id": tx.organization, "version": version, **asdict(theme)}
    return bool((await tx.execute(_NOTE, values)).rowcount)


async def get_theme(tx: Transaction) -> Theme | None:
    """How the tenant looks; None for the platform's look."""
    row = (await tx.execute(_GET)).mappings().one_or_none()
    return None if row is None else Theme(**row)
