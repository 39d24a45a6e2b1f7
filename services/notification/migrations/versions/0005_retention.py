"""How long organizations keep what, and rounds that delete what is long over."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_retention_table, end_purges, schedule_purges

revision = "0005"
down_revision = "0004"

_PURGES = ("mails", "account_mails", "deliveries")


def upgrade() -> None:
    create_retention_table("notification")
    op.create_index(
        "notifications_over",
        "notifications",
        ["organization_id", sa.text("greatest(coalesce(sent_at, due_at), starts_at)")],
        postgresql_where=sa.text("status NOT IN ('scheduled', 'sending')"),
    )
    op.create_index(
        "webhook_deliveries_over",
        "webhook_deliveries",
        ["organization_id", "created_at"],
        postgresql_where=sa.text("status <> 'pending'"),
    )
    schedule_purges(*_PURGES)


def downgrade() -> None:
    end_purges(*_PURGES)
    op.drop_index("webhook_deliveries_over", "webhook_deliveries")
    op.drop_index("notifications_over", "notifications")
    op.drop_table("retention_settings")
