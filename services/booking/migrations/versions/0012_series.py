"""Recurring bookings: series, the days that they could not have, and what each booking is of its series."""

from alembic import op

from servicekit.migrations import isolate

revision = "0012"
down_revision = "0008"

_TABLES = ("series", "series_skips")
_STATEMENTS = (
    """
    CREATE TABLE series (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_id UUID NOT NULL,
        guest_id UUID NOT NULL,
        rule TEXT NOT NULL,
        first_date DATE NOT NULL,
        local_time TIME WITHOUT TIME ZONE NOT NULL,
        excluded DATE[] NOT NULL,
        added DATE[] NOT NULL,
        party_size INTEGER NOT NULL,
        notes TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        origin_id UUID,
        ended BOOLEAN NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT series_of_offering FOREIGN KEY(organization_id, venue_id, offering_id)
            REFERENCES offerings (organization_id, venue_id, id),
        CONSTRAINT series_of_guest FOREIGN KEY(organization_id, guest_id)
            REFERENCES guests (organization_id, id),
        CONSTRAINT series_of_origin FOREIGN KEY(organization_id, origin_id)
            REFERENCES series (organization_id, id),
        CONSTRAINT series_party_positive CHECK (party_size > 0)
    )
    """,
    "CREATE INDEX series_venue ON series (organization_id, venue_id, id)",
    """
    CREATE TABLE series_skips (
        organization_id UUID NOT NULL,
        series_id UUID NOT NULL,
        date DATE NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (organization_id, series_id, date),
        CONSTRAINT series_skips_of_series FOREIGN KEY(organization_id, series_id)
            REFERENCES series (organization_id, id)
    )
    """,
    # The program before this one goes on writing meanwhile: all of it is NULL there.
    """
    ALTER TABLE bookings
        ADD COLUMN series_id UUID,
        ADD COLUMN series_date DATE,
        ADD CONSTRAINT bookings_of_series FOREIGN KEY(organization_id, series_id)
            REFERENCES series (organization_id, id) NOT VALID,
        ADD CONSTRAINT bookings_of_series_are_dated
            CHECK ((series_id IS NULL) = (series_date IS NULL)) NOT VALID
    """,
    "ALTER TABLE bookings VALIDATE CONSTRAINT bookings_of_series",
    "ALTER TABLE bookings VALIDATE CONSTRAINT bookings_of_series_are_dated",
    """
    CREATE UNIQUE INDEX bookings_series ON bookings (organization_id, series_id, series_date)
        WHERE series_id IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    isolate("booking", *_TABLES)


def downgrade() -> None:
    op.drop_column("bookings", "series_date")
    op.drop_column("bookings", "series_id")
    for table in reversed(_TABLES):
        op.drop_table(table)
