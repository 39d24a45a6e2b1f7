"""Rounds that delete webhooks that were handled long ago."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import end_purges, schedule_purges

revision = "0004"
down_revision = "0003"

_PURGES = ("provider_events",)


def upgrade() -> None:
    op.create_index(
        "provider_events_handled",
        "provider_events",
        ["handled_at"],
        postgresql_where=sa.text("handled_at IS NOT NULL"),
    )
    schedule_purges(*_PURGES)


def downgrade() -> None:
    end_purges(*_PURGES)
    op.drop_index("provider_events_handled", "provider_events")
