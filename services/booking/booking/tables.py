"""The tables of booking. What must never happen is a constraint; each index says which query needs it."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint

from servicekit.tables import platform_tables

METADATA = sa.MetaData()
platform_tables(METADATA)

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")


def _of_venue(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "venue_id"], ["venues.organization_id", "venues.id"], name=name
    )


VENUES = sa.Table(
    "venues",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    # Unique alone too: anybody's link names a venue by its id.
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.UniqueConstraint("id", name="venues_id_unique"),
    sa.UniqueConstraint("slug", name="venues_slug_taken"),
)

AREAS = sa.Table(
    "areas",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    _of_venue("areas_of_venue"),
    # Also the list by name, and what a resource of the same venue refers to.
    sa.UniqueConstraint("organization_id", "venue_id", "name", name="areas_name_taken"),
    sa.UniqueConstraint("organization_id", "venue_id", "id", name="areas_in_venue"),
)

RESOURCES = sa.Table(
    "resources",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("area_id", sa.Uuid),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("min_party", sa.Integer, nullable=False),
    sa.Column("max_party", sa.Integer, nullable=False),
    _of_venue("resources_of_venue"),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "area_id"],
        ["areas.organization_id", "areas.venue_id", "areas.id"],
        name="resources_in_area",
    ),
    sa.UniqueConstraint("organization_id", "venue_id", "name", name="resources_name_taken"),
    sa.UniqueConstraint("organization_id", "venue_id", "id", name="resources_in_venue"),
    sa.CheckConstraint("1 <= min_party AND min_party <= max_party", name="resources_party_range"),
)

COMBINATIONS = sa.Table(
    "combinations",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("min_party", sa.Integer, nullable=False),
    sa.Column("max_party", sa.Integer, nullable=False),
    _of_venue("combinations_of_venue"),
    sa.UniqueConstraint("organization_id", "venue_id", "name", name="combinations_name_taken"),
    sa.UniqueConstraint("organization_id", "venue_id", "id", name="combinations_in_venue"),
    sa.CheckConstraint("1 <= min_party AND min_party <= max_party", name="combinations_party_range"),
)

# The venue is part of both keys: a combination has members of its own venue only.
COMBINATION_MEMBERS = sa.Table(
    "combination_members",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("combination_id", sa.Uuid, primary_key=True),
    sa.Column("resource_id", sa.Uuid, primary_key=True),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "combination_id"],
        ["combinations.organization_id", "combinations.venue_id", "combinations.id"],
        name="combination_members_of_combination",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "resource_id"],
        ["resources.organization_id", "resources.venue_id", "resources.id"],
        name="combination_members_in_venue",
    ),
)

OFFERINGS = sa.Table(
    "offerings",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # [[largest party, minutes], …], rising.
    sa.Column("turn_times", JSONB, nullable=False),
    sa.Column("slot_minutes", sa.Integer, nullable=False),
    sa.Column("min_notice_minutes", sa.Integer, nullable=False),
    sa.Column("max_advance_days", sa.Integer, nullable=False),
    # All three or none; minor units of the venue's currency.
    sa.Column("deposit_from_party", sa.Integer),
    sa.Column("deposit_per_person", sa.BigInteger),
    sa.Column("free_cancellation_hours", sa.Integer),
    _of_venue("offerings_of_venue"),
    sa.UniqueConstraint("organization_id", "venue_id", "name", name="offerings_name_taken"),
    sa.UniqueConstraint("organization_id", "venue_id", "id", name="offerings_in_venue"),
    sa.CheckConstraint("slot_minutes > 0", name="offerings_slots_advance"),
    sa.CheckConstraint(
        "num_nulls(deposit_from_party, deposit_per_person, free_cancellation_hours) IN (0, 3)",
        name="offerings_deposit_whole",
    ),
)

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

# One row for each day that anything was ever booked on. Its version is what plans are made on, and its lock
# is what changes of a day queue at.
SERVICE_DAYS = sa.Table(
    "service_days",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, primary_key=True),
    sa.Column("service_date", sa.Date, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    _of_venue("service_days_of_venue"),
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
    sa.Column("start_at", _MOMENT, nullable=False),
    sa.Column("end_at", _MOMENT, nullable=False),
    sa.Column("service_date", sa.Date, nullable=False),
    sa.Column("resource_ids", sa.ARRAY(sa.Uuid), nullable=False),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("deposit_amount", sa.BigInteger),
    sa.Column("deposit_currency", sa.Text),
    sa.Column("free_cancellation_hours", sa.Integer),
    sa.Column("deposit_paid_at", _MOMENT),
    sa.Column("hold_expires_at", _MOMENT),
    sa.Column("cancelled_by", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    # The offering stands for the venue too.
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="bookings_of_offering",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "guest_id"], ["guests.organization_id", "guests.id"], name="bookings_of_guest"
    ),
    sa.CheckConstraint("party_size > 0", name="bookings_party_positive"),
    sa.CheckConstraint("start_at < end_at", name="bookings_take_time"),
    sa.CheckConstraint(
        "status IN ('held', 'confirmed', 'cancelled', 'expired')", name="bookings_status_known"
    ),
    sa.CheckConstraint(
        "(status = 'held') = (hold_expires_at IS NOT NULL)", name="bookings_only_holds_expire"
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

# One row for each resource that a live booking occupies. Rows of cancelled and expired bookings are deleted.
ALLOCATIONS = sa.Table(
    "allocations",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, primary_key=True),
    sa.Column("resource_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("start_at", _MOMENT, nullable=False),
    sa.Column("end_at", _MOMENT, nullable=False),
    sa.Column(
        "during", TSTZRANGE, sa.Computed("tstzrange(start_at, end_at)", persisted=True), nullable=False
    ),
    # A hold's end; NULL stands for ever.
    sa.Column("expires_at", _MOMENT),
    # The last line: nothing is sold twice, whatever the program does.
    ExcludeConstraint(("resource_id", "="), ("during", "&&"), name="allocations_no_overlap", using="gist"),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="allocations_of_booking",
    ),
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

# The hash of a link's secret. A booking has one of its own, one for each mail, and the newest few of those
# that repeated answers came with (`repeated`).
MANAGE_TOKENS = sa.Table(
    "manage_tokens",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("booking_id", sa.Uuid, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
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
    sa.Column("start_at", _MOMENT, nullable=False),
    sa.Column("changed_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="booking_changes_of_booking",
    ),
)

TENANT_TABLES = (
    "venues",
    "areas",
    "resources",
    "combinations",
    "combination_members",
    "offerings",
    "shifts",
    "service_days",
    "guests",
    "bookings",
    "allocations",
    "manage_tokens",
    "booking_changes",
)
