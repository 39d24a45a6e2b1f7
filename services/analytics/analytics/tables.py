"""The tables of analytics: facts, one row an entity, so that repetitions count once. Never a running sum."""

import sqlalchemy as sa

from servicekit.tables import platform_tables

METADATA = sa.MetaData()
platform_tables(METADATA)

_MOMENT = sa.DateTime(timezone=True)

# What a venue last said about itself.
VENUES = sa.Table(
    "venues",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, primary_key=True),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("changed_at", _MOMENT, nullable=False),
    sa.Column("event_id", sa.Uuid, nullable=False),
)

# Every version of what a venue has to offer: a new table must not change the occupancy of last year.
CAPACITIES = sa.Table(
    "capacities",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("since", _MOMENT, nullable=False),
)

CAPACITY_SEATS = sa.Table(
    "capacity_seats",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("resource_id", sa.Uuid, primary_key=True),
    sa.Column("seats", sa.Integer, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "version"],
        ["capacities.organization_id", "capacities.venue_id", "capacities.version"],
        name="capacity_seats_of_capacity",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint("seats > 0", name="capacity_seats_positive"),
)

# Minutes after the midnight that begins the service day, on the venue's clock.
CAPACITY_WINDOWS = sa.Table(
    "capacity_windows",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("weekday", sa.SmallInteger, primary_key=True),
    sa.Column("opens", sa.SmallInteger, primary_key=True),
    sa.Column("closes", sa.SmallInteger, primary_key=True),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "version"],
        ["capacities.organization_id", "capacities.venue_id", "capacities.version"],
        name="capacity_windows_of_capacity",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint("weekday BETWEEN 1 AND 7", name="capacity_windows_weekday_iso"),
    sa.CheckConstraint("0 <= opens AND opens < closes", name="capacity_windows_open_before_close"),
)

# The venue is not a foreign key: a booking may be heard of before its venue is.
BOOKING_FACTS = sa.Table(
    "booking_facts",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("party_size", sa.Integer, nullable=False),
    sa.Column("starts_at", _MOMENT, nullable=False),
    sa.Column("ends_at", _MOMENT, nullable=False),
    sa.Column("service_date", sa.Date, nullable=False),
    sa.Column("resource_ids", sa.ARRAY(sa.Uuid), nullable=False),
    sa.Column("told_at", _MOMENT, nullable=False),
    sa.Column("confirmed_at", _MOMENT),
    sa.Column("cancelled_at", _MOMENT),
    sa.CheckConstraint(
        "status IN ('held', 'confirmed', 'cancelled', 'expired')", name="booking_facts_status_known"
    ),
)
# The figures of a service day, and those of a local day.
sa.Index(
    "booking_facts_service_day",
    BOOKING_FACTS.c.organization_id,
    BOOKING_FACTS.c.venue_id,
    BOOKING_FACTS.c.service_date,
)
sa.Index(
    "booking_facts_confirmed",
    BOOKING_FACTS.c.organization_id,
    BOOKING_FACTS.c.venue_id,
    BOOKING_FACTS.c.confirmed_at,
)
sa.Index(
    "booking_facts_cancelled",
    BOOKING_FACTS.c.organization_id,
    BOOKING_FACTS.c.venue_id,
    BOOKING_FACTS.c.cancelled_at,
)
# The newest fact.
sa.Index("booking_facts_told", BOOKING_FACTS.c.organization_id, BOOKING_FACTS.c.told_at)

# Neither the booking is a foreign key: it is joined when it is read.
PAYMENT_FACTS = sa.Table(
    "payment_facts",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("payment_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("paid_at", _MOMENT, nullable=False),
    sa.CheckConstraint("amount >= 0", name="payment_facts_amount_not_negative"),
)
# What was paid on a day, and the newest fact.
sa.Index("payment_facts_paid", PAYMENT_FACTS.c.organization_id, PAYMENT_FACTS.c.paid_at)

# How much of a payment was given back in all, and since when: one row for each height it reached, so that a
# second part changes nothing about the day of the first.
REFUND_FACTS = sa.Table(
    "refund_facts",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("payment_id", sa.Uuid, primary_key=True),
    sa.Column("refunded", sa.BigInteger, primary_key=True),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("booking_id", sa.Uuid, nullable=False),
    sa.Column("refunded_at", _MOMENT, nullable=False),
    sa.CheckConstraint("refunded >= 0", name="refund_facts_refunded_not_negative"),
)
# What was given back on a day, and the newest fact.
sa.Index("refund_facts_refunded", REFUND_FACTS.c.organization_id, REFUND_FACTS.c.refunded_at)
