"""What those who wait, and series, ask of the place; and when an offer of the waitlist ended."""

from alembic import op

revision = "0020"
down_revision = "0019"

_TABLES = ("waitlist_entries", "series")
_READ_ACROSS_TENANTS = ("waitlist_entries", "bookings")

FILL = """
UPDATE waitlist_entries e SET area_id = b.area_id, attributes = b.attributes FROM bookings b
WHERE b.organization_id = e.organization_id AND b.id = e.booking_id AND e.status IN ('waiting', 'offered')
"""


def upgrade() -> None:
    for table in _TABLES:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN area_id UUID,"
            " ADD COLUMN attributes TEXT[] DEFAULT '{}' NOT NULL"
        )
    op.execute("ALTER TABLE waitlist_offers ADD COLUMN ended_at TIMESTAMPTZ")
    # Who waits by the link of a booking wants what that has. While forced, the owner sees nobody's rows.
    for table in _READ_ACROSS_TENANTS:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(FILL)
    for table in _READ_ACROSS_TENANTS:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_column("waitlist_offers", "ended_at")
    for table in _TABLES:
        op.drop_column(table, "attributes")
        op.drop_column(table, "area_id")
