"""How much of its deposit a booking loses when its guest does not come, as it stood when it was booked."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_DEFINITION = sa.text(
    "SELECT pg_get_functiondef(oid) FROM pg_proc"
    " WHERE proname = 'commit_booking' AND strpos(prosrc, 'grace_minutes') > 0"
)
_ADDED = (
    ("policy, grace_minutes,", "policy, grace_minutes, no_show_percent,"),
    (
        "(p_more->>'grace_minutes')::integer,",
        "(p_more->>'grace_minutes')::integer, (p_more->>'no_show_percent')::integer,",
    ),
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE bookings ADD COLUMN no_show_percent INTEGER,"
        " ADD CONSTRAINT bookings_no_show_percent CHECK (no_show_percent BETWEEN 0 AND 100) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT bookings_no_show_percent")
    _rewrite(_ADDED)


def downgrade() -> None:
    _rewrite([(after, before) for before, after in _ADDED])
    op.drop_column("bookings", "no_show_percent")


def _rewrite(changes: Sequence[tuple[str, str]]) -> None:
    """The same function, options and all, with other columns; a program that tells none writes NULL."""
    definition = op.get_bind().execute(_DEFINITION).scalar_one()
    for before, after in changes:
        if definition.count(before) != 1:
            raise RuntimeError(before)
        definition = definition.replace(before, after)
    op.get_bind().exec_driver_sql(definition)
