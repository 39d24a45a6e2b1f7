"""How long organizations keep what, and rounds that take people out of what is long over."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_retention_table, end_purges, schedule_purges

revision = "0024"
down_revision = "0023"

_PURGES = ("guests", "wishes", "waitlist", "waitlist_wishes", "series", "series_wishes")


def upgrade() -> None:
    create_retention_table("booking")
    op.add_column("service_days", sa.Column("guests_purged", sa.BigInteger))
    op.add_column("service_days", sa.Column("wishes_purged", sa.BigInteger))
    op.create_index(
        "waitlist_entries_over",
        "waitlist_entries",
        ["organization_id", "last_date"],
        postgresql_where=sa.text("status NOT IN ('waiting', 'offered')"),
    )
    schedule_purges(*_PURGES)


def downgrade() -> None:
    end_purges(*_PURGES)
    op.drop_index("waitlist_entries_over", "waitlist_entries")
    op.drop_column("service_days", "wishes_purged")
    op.drop_column("service_days", "guests_purged")
    op.drop_table("retention_settings")
