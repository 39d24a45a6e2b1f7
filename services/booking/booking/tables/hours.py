"""When what is offered can be booked: weekly shifts, dates with hours of their own, closures."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from booking.tables.schema import METADATA, of_venue

SHIFTS = sa.Table(
    "shifts",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("offering_id", sa.Uuid, nullable=False),
    sa.Column("weekdays", sa.ARRAY(sa.SmallInteger), nullable=False),
    # Minutes after the local midnight of the service day.
    sa.Column("opens", sa.Integer, nullable=False),
    sa.Column("last_start", sa.Integer, nullable=False),
    sa.Column("closes", sa.Integer, nullable=False),
    sa.Column("must_finish", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="shifts_of_offering",
    ),
    sa.CheckConstraint(
        "0 <= opens AND opens <= last_start AND last_start < closes AND closes <= opens + 1440",
        name="shifts_in_order",
    ),
)
# The plan of a venue, and the list of its shifts.
sa.Index("shifts_venue", SHIFTS.c.organization_id, SHIFTS.c.venue_id)

DATE_EXCEPTIONS = sa.Table(
    "date_exceptions",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("offering_id", sa.Uuid, nullable=False),
    sa.Column("service_date", sa.Date, nullable=False),
    # [[opens, last start, closes, must finish], …] in minutes, by opening; none when closed.
    sa.Column("windows", JSONB, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="date_exceptions_of_offering",
    ),
    sa.UniqueConstraint("organization_id", "offering_id", "service_date", name="date_exceptions_taken"),
)
# The plan of a venue, and the list of its exceptions.
sa.Index(
    "date_exceptions_venue",
    DATE_EXCEPTIONS.c.organization_id,
    DATE_EXCEPTIONS.c.venue_id,
    DATE_EXCEPTIONS.c.service_date,
)

CLOSURES = sa.Table(
    "closures",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    # Empty for everything that the venue offers.
    sa.Column("offering_ids", sa.ARRAY(sa.Uuid), nullable=False),
    sa.Column("first_date", sa.Date, nullable=False),
    sa.Column("last_date", sa.Date, nullable=False),
    # Minutes after the local midnight of each day; both or, for all day, none.
    sa.Column("begins", sa.Integer),
    sa.Column("ends", sa.Integer),
    sa.Column("cuts_tail", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    of_venue("closures_of_venue"),
    sa.CheckConstraint("first_date <= last_date", name="closures_in_order"),
    sa.CheckConstraint("last_date - first_date < 366", name="closures_at_most_a_year"),
    sa.CheckConstraint("num_nulls(begins, ends) IN (0, 2)", name="closures_times_whole"),
    sa.CheckConstraint(
        "0 <= begins AND begins < ends AND ends <= begins + 1440", name="closures_times_in_order"
    ),
)
# The plan of a venue, and the list of its closures: those that are not over by a day.
sa.Index("closures_venue", CLOSURES.c.organization_id, CLOSURES.c.venue_id, CLOSURES.c.last_date)
