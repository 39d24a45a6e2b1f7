"""Bookings that staff made an exception of hours, notice or pacing for may be moved to other seats again."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_DEFINITION = sa.text(
    "SELECT pg_get_functiondef(oid) FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace AND proname = 'read_venue_days'"
)
# What seats the party was set aside with its size alone. The engine leaves one beside the hours where it is.
_BEFORE = "cardinality(g.overridden) = 0"
_AFTER = "NOT 'party_size' = ANY (g.overridden)"


def upgrade() -> None:
    _rewrite(_BEFORE, _AFTER)


def downgrade() -> None:
    _rewrite(_AFTER, _BEFORE)


def _rewrite(before: str, after: str) -> None:
    """The same reading of a day, with another word on who may be moved."""
    definition = op.get_bind().execute(_DEFINITION).scalar_one()
    if definition.count(before) != 1:
        raise RuntimeError(before)
    op.get_bind().exec_driver_sql(definition.replace(before, after))
