"""What all tables of booking share: one metadata, moments, and the key of a venue."""

import sqlalchemy as sa

from servicekit.tables import platform_tables, retention_table

METADATA = sa.MetaData()
platform_tables(METADATA)
retention_table(METADATA)

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def of_venue(name: str) -> sa.ForeignKeyConstraint:
    """A row that belongs to a venue of its own organization."""
    return sa.ForeignKeyConstraint(
        ["organization_id", "venue_id"], ["venues.organization_id", "venues.id"], name=name
    )
