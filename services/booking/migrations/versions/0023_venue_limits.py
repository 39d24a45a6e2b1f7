"""Members who are limited to venues: what they find by id or in lists is of these alone."""

from alembic import op

from servicekit.migrations import keep_to_venues

revision = "0023"
down_revision = "0022"

# What is found without naming its venue. All else is reached through a venue that the caller named.
_COLUMNS = {
    "venues": "id",
    "bookings": "venue_id",
    "blocks": "venue_id",
    "series": "venue_id",
    "waitlist_entries": "venue_id",
}


def upgrade() -> None:
    for table, column in _COLUMNS.items():
        keep_to_venues(table, column)


def downgrade() -> None:
    for table in _COLUMNS:
        op.execute(f"DROP POLICY venues ON {table}")
