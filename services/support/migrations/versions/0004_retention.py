"""How long organizations keep what, and rounds that delete tickets that were resolved long ago."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_retention_table, end_purges, schedule_purges

revision = "0004"
down_revision = "0003"

_PURGES = ("tickets",)


def upgrade() -> None:
    create_retention_table("support")
    op.create_index(
        "tickets_resolved",
        "tickets",
        ["organization_id", "resolved_at"],
        postgresql_where=sa.text("resolved_at IS NOT NULL"),
    )
    schedule_purges(*_PURGES)


def downgrade() -> None:
    end_purges(*_PURGES)
    op.drop_index("tickets_resolved", "tickets")
    op.drop_table("retention_settings")
