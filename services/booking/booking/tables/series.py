"""Bookings that repeat: what they have in common, and the days that could not be had."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from booking.tables.schema import METADATA, MOMENT

SERIES = sa.Table(
    "series",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    # UUIDv7: its order is the order in which they were made.
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("offering_id", sa.Uuid, nullable=False),
    # Personal data has its one place, as with bookings; the parts of a split series share the row.
    sa.Column("guest_id", sa.Uuid, nullable=False),
    # An RRULE of RFC 5545, whose DTSTART is the local time of first_date and local_time.
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("first_date", sa.Date, nullable=False),
    sa.Column("local_time", sa.Time, nullable=False),
    sa.Column("excluded", ARRAY(sa.Date), nullable=False),
    sa.Column("added", ARRAY(sa.Date), nullable=False),
    sa.Column("party_size", sa.Integer, nullable=False),
    # What the party asks of the place.
    sa.Column("area_id", sa.Uuid),
    sa.Column("attributes", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("origin_id", sa.Uuid),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    # The offering stands for the venue too.
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="series_of_offering",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "guest_id"], ["guests.organization_id", "guests.id"], name="series_of_guest"
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "origin_id"], ["series.organization_id", "series.id"], name="series_of_origin"
    ),
    sa.CheckConstraint("party_size > 0", name="series_party_positive"),
)
# The list of a venue by age.
sa.Index("series_venue", SERIES.c.organization_id, SERIES.c.venue_id, SERIES.c.id)

# The occurrences that were left out when a series was made, and the refusal that each met.
SERIES_SKIPS = sa.Table(
    "series_skips",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("series_id", sa.Uuid, primary_key=True),
    sa.Column("date", sa.Date, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id", "series_id"],
        ["series.organization_id", "series.id"],
        name="series_skips_of_series",
    ),
)
