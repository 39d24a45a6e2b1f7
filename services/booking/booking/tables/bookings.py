"""Service days, bookings, what they occupy, and what became of them."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from booking.tables.schema import METADATA, MOMENT, NOW, of_venue

# One row for each day that anything was ever booked on. Its version is what plans are made on, and its lock
# is what changes of a day queue at.
SERVICE_DAYS = sa.Table(
    "service_days",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, primary_key=True),
    sa.Column("service_date", sa.Date, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    # The version at which everybody who came, or what they wished for, was forgotten. NULL while nobody was.
    sa.Column("guests_purged", sa.BigInteger),
    sa.Column("wishes_purged", sa.BigInteger),
    of_venue("service_days_of_venue"),
)

# Who booked: personal data has this one place, one row a booking, so that what a stranger types in under
# somebody's address changes nothing of theirs.
GUESTS = sa.Table(
    "guests",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    # {"dietary": [[word, …], note], "accessibility": [[word, …], note], "occasion": text}; absent for none.
    sa.Column("preferences", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("marketing_consent_at", MOMENT),
)

BOOKINGS = sa.Table(
    "bookings",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("offering_id", sa.Uuid, nullable=False),
    sa.Column("guest_id", sa.Uuid, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("party_size", sa.Integer, nullable=False),
    sa.Column("start_at", MOMENT, nullable=False),
    sa.Column("end_at", MOMENT, nullable=False),
    sa.Column("service_date", sa.Date, nullable=False),
    sa.Column("resource_ids", sa.ARRAY(sa.Uuid), nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("deposit_amount", sa.BigInteger),
    sa.Column("deposit_currency", sa.Text),
    sa.Column("free_cancellation_hours", sa.Integer),
    sa.Column("deposit_paid_at", MOMENT),
    sa.Column("hold_expires_at", MOMENT),
    sa.Column("cancelled_by", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    # Of the whole party as it is now; this program reads that of each person, as it stood when it was booked.
    sa.Column("price_amount", sa.BigInteger),
    sa.Column("price_per_person", sa.BigInteger),
    sa.Column("price_currency", sa.Text),
    sa.Column("policy", sa.Text, nullable=False, server_default=""),
    # After the start, before it counts as missed; NULL leaves that to staff.
    sa.Column("grace_minutes", sa.Integer),
    # Of the paid deposit, kept if the guest does not come; NULL for all of it.
    sa.Column("no_show_percent", sa.Integer),
    sa.Column("overridden", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    # Why it was cancelled or declined.
    sa.Column("reason_code", sa.Text, nullable=False, server_default=""),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("late_minutes", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("arrived_at", MOMENT),
    sa.Column("seated_at", MOMENT),
    sa.Column("completed_at", MOMENT),
    sa.Column("channel", sa.Text, nullable=False, server_default="online"),
    # What the guest asks of the place.
    sa.Column("area_id", sa.Uuid),
    sa.Column("attributes", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    # The series that it is of, and by which day that knows it, wherever it was moved to.
    sa.Column("series_id", sa.Uuid),
    sa.Column("series_date", sa.Date),
    # Until when cancelling cost nothing before the guest moved it; NULL while its start says so.
    sa.Column("free_until", MOMENT),
    # The offering stands for the venue too.
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="bookings_of_offering",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "guest_id"], ["guests.organization_id", "guests.id"], name="bookings_of_guest"
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "series_id"], ["series.organization_id", "series.id"], name="bookings_of_series"
    ),
    sa.CheckConstraint("(series_id IS NULL) = (series_date IS NULL)", name="bookings_of_series_are_dated"),
    sa.CheckConstraint("party_size > 0", name="bookings_party_positive"),
    sa.CheckConstraint("no_show_percent BETWEEN 0 AND 100", name="bookings_no_show_percent"),
    sa.CheckConstraint("start_at < end_at", name="bookings_take_time"),
    sa.CheckConstraint(
        "status IN ('requested', 'held', 'confirmed', 'arrived', 'seated', 'completed', 'cancelled',"
        " 'no_show', 'expired', 'declined')",
        name="bookings_status_known",
    ),
    sa.CheckConstraint("channel IN ('online', 'staff')", name="bookings_channel_known"),
    sa.CheckConstraint(
        "(status IN ('held', 'requested')) = (hold_expires_at IS NOT NULL)",
        name="bookings_only_holds_expire",
    ),
    sa.CheckConstraint(
        "(status = 'cancelled') = (cancelled_by IS NOT NULL)", name="bookings_cancelled_by_somebody"
    ),
)
# The list of a service day by start.
sa.Index(
    "bookings_day",
    BOOKINGS.c.organization_id,
    BOOKINGS.c.venue_id,
    BOOKINGS.c.service_date,
    BOOKINGS.c.start_at,
    BOOKINGS.c.id,
)
# The occurrences of a series; each has one booking at most. Partial: others write nothing into it.
sa.Index(
    "bookings_series",
    BOOKINGS.c.organization_id,
    BOOKINGS.c.series_id,
    BOOKINGS.c.series_date,
    unique=True,
    postgresql_where=BOOKINGS.c.series_id.is_not(None),
)

# Resources that staff take out of sale for a while. What they occupy are allocations like all others.
BLOCKS = sa.Table(
    "blocks",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("resource_ids", sa.ARRAY(sa.Uuid), nullable=False),
    sa.Column("start_at", MOMENT, nullable=False),
    sa.Column("end_at", MOMENT, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_by", sa.Uuid),
    sa.Column("created_at", MOMENT, nullable=False),
    of_venue("blocks_of_venue"),
    sa.CheckConstraint("start_at < end_at", name="blocks_take_time"),
    sa.CheckConstraint("end_at - start_at <= interval '31 days'", name="blocks_at_most_a_month"),
)
# The list of a venue by time, and what fills a gap that a booking leaves; on the start alone: none is longer
# than 31 days.
sa.Index("blocks_venue", BLOCKS.c.organization_id, BLOCKS.c.venue_id, BLOCKS.c.start_at)

# One row for each resource that a live booking or a block occupies, and for each day of a block. Rows of what
# is over are deleted.
ALLOCATIONS = sa.Table(
    "allocations",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    # Of a booking or of a block.
    sa.Column("booking_id", sa.Uuid),
    sa.Column("block_id", sa.Uuid),
    sa.Column("resource_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("start_at", MOMENT, primary_key=True),
    sa.Column("end_at", MOMENT, nullable=False),
    sa.Column(
        "during", TSTZRANGE, sa.Computed("tstzrange(start_at, end_at)", persisted=True), nullable=False
    ),
    # A hold's end; NULL stands for ever.
    sa.Column("expires_at", MOMENT),
    # The last line: nothing is sold twice, whatever the program does.
    ExcludeConstraint(("resource_id", "="), ("during", "&&"), name="allocations_no_overlap", using="gist"),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="allocations_of_booking",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "block_id"], ["blocks.organization_id", "blocks.id"], name="allocations_of_block"
    ),
    sa.CheckConstraint("num_nonnulls(booking_id, block_id) = 1", name="allocations_of_one"),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "resource_id"],
        ["resources.organization_id", "resources.venue_id", "resources.id"],
        name="allocations_in_venue",
    ),
    sa.CheckConstraint("start_at < end_at", name="allocations_take_time"),
    # A longer stay would be several rows; see the index.
    sa.CheckConstraint("end_at - start_at <= interval '24 hours'", name="allocations_at_most_a_day"),
)
# What is taken at a venue between two instants. On plain columns, because row-level security lets no operator
# of ranges into an index scan (none is leakproof); on the start alone, because nothing is longer than a day.
sa.Index("allocations_venue", ALLOCATIONS.c.organization_id, ALLOCATIONS.c.venue_id, ALLOCATIONS.c.start_at)
# What a booking, or a block, gives back.
sa.Index("allocations_booking", ALLOCATIONS.c.organization_id, ALLOCATIONS.c.booking_id)
sa.Index(
    "allocations_block",
    ALLOCATIONS.c.organization_id,
    ALLOCATIONS.c.block_id,
    postgresql_where=ALLOCATIONS.c.block_id.is_not(None),
)

# The hash of a link's secret. A booking has one of its own, one for each mail, and the newest few of those
# that repeated answers came with (`repeated`).
MANAGE_TOKENS = sa.Table(
    "manage_tokens",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("booking_id", sa.Uuid, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.Column("repeated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="manage_tokens_of_booking",
    ),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="manage_tokens_hashed"),
)
# The few to choose from when one more comes. Partial: making a booking writes nothing into it.
sa.Index(
    "manage_tokens_repeated",
    MANAGE_TOKENS.c.organization_id,
    MANAGE_TOKENS.c.booking_id,
    postgresql_where=MANAGE_TOKENS.c.repeated,
)

# What happened to a booking, who did it, and when: a row for each version.
BOOKING_CHANGES = sa.Table(
    "booking_changes",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("user_id", sa.Uuid),
    sa.Column("reason_code", sa.Text, nullable=False, server_default=""),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    # Field to [before, after]: see domain/bookings/differences.py.
    sa.Column("differences", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("start_at", MOMENT, nullable=False),
    sa.Column("changed_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="booking_changes_of_booking",
    ),
)
