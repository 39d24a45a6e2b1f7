"""How long organizations keep what, and rounds that delete what is long over."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_retention_table, end_purges, schedule_purges

revision = "0013"
down_revision = "0012"

_PURGES = ("sessions", "leftovers")


def upgrade() -> None:
    create_retention_table("auth")
    op.create_index(
        "sessions_over", "sessions", ["organization_id", sa.text("coalesce(ended_at, expires_at)")]
    )
    op.create_index("known_devices_seen_at", "known_devices", ["seen_at"])
    op.create_index("remembered_devices_expires_at", "remembered_devices", ["expires_at"])
    schedule_purges(*_PURGES)


def downgrade() -> None:
    end_purges(*_PURGES)
    op.drop_index("remembered_devices_expires_at", "remembered_devices")
    op.drop_index("known_devices_seen_at", "known_devices")
    op.drop_index("sessions_over", "sessions")
    op.drop_table("retention_settings")
