"""Venues, what they have, and what can be booked there."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from booking.tables.schema import METADATA, MOMENT, NOW, of_venue

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
    # Whether parties that are to come may be moved to let another one in.
    sa.Column("reseating", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
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
    of_venue("areas_of_venue"),
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
    sa.Column("attributes", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("online", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("in_service", sa.Boolean, nullable=False, server_default=sa.true()),
    of_venue("resources_of_venue"),
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
    # Of a row of neighbours; all three or none. Its own party range means nothing then.
    sa.Column("max_joined", sa.Integer),
    sa.Column("seats_lost_per_joint", sa.Integer),
    sa.Column("run_min_party", sa.Integer),
    of_venue("combinations_of_venue"),
    sa.UniqueConstraint("organization_id", "venue_id", "name", name="combinations_name_taken"),
    sa.UniqueConstraint("organization_id", "venue_id", "id", name="combinations_in_venue"),
    sa.CheckConstraint("1 <= min_party AND min_party <= max_party", name="combinations_party_range"),
    sa.CheckConstraint(
        "num_nulls(max_joined, seats_lost_per_joint, run_min_party) IN (0, 3)",
        name="combinations_adjacency_whole",
    ),
)

# The venue is part of both keys: a combination has members of its own venue only.
COMBINATION_MEMBERS = sa.Table(
    "combination_members",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("combination_id", sa.Uuid, primary_key=True),
    sa.Column("resource_id", sa.Uuid, primary_key=True),
    # Neighbours stand next to each other.
    sa.Column("place", sa.Integer, nullable=False, server_default=sa.text("0")),
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
    # Price, policy, rules of asking first and of coming late: see store/terms.py.
    sa.Column("terms", JSONB, nullable=False, server_default=sa.text("'{}'")),
    # Buffers, notice until a local time, release: see store/hours.py.
    sa.Column("times", JSONB, nullable=False, server_default=sa.text("'{}'")),
    # Weekday turn times, operations and their needs, seats that may stay empty: see store/visits.py.
    sa.Column("visit", JSONB, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    # When it went off sale for good; the row stays for the bookings that were made of it.
    sa.Column("retired_at", MOMENT),
    of_venue("offerings_of_venue"),
    sa.UniqueConstraint("organization_id", "venue_id", "id", name="offerings_in_venue"),
    sa.CheckConstraint("slot_minutes > 0", name="offerings_slots_advance"),
    sa.CheckConstraint(
        "num_nulls(deposit_from_party, deposit_per_person, free_cancellation_hours) IN (0, 3)",
        name="offerings_deposit_whole",
    ),
)

# Names of what is on sale; also their list by name.
sa.Index(
    "offerings_name_taken",
    OFFERINGS.c.organization_id,
    OFFERINGS.c.venue_id,
    OFFERINGS.c.name,
    unique=True,
    postgresql_where=OFFERINGS.c.retired_at.is_(None),
)

PACING_RULES = sa.Table(
    "pacing_rules",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    # NULL for everything that the venue offers, together.
    sa.Column("offering_id", sa.Uuid),
    sa.Column("interval_minutes", sa.Integer, nullable=False),
    sa.Column("max_covers", sa.Integer),
    sa.Column("max_parties", sa.Integer),
    sa.Column("online_covers", sa.Integer),
    sa.Column("online_parties", sa.Integer),
    of_venue("pacing_rules_of_venue"),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="pacing_rules_of_offering",
    ),
    sa.CheckConstraint("interval_minutes > 0", name="pacing_rules_advance"),
    sa.CheckConstraint(
        "num_nonnulls(max_covers, max_parties, online_covers, online_parties) > 0",
        name="pacing_rules_limit_something",
    ),
)
# The plan of a venue, and the list of its rules.
sa.Index("pacing_rules_venue", PACING_RULES.c.organization_id, PACING_RULES.c.venue_id)

# How organizations look, as auth told it last. A copy: auth owns it.
THEMES = sa.Table(
    "themes",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("logo_url", sa.Text, nullable=False),
    sa.Column("background", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("accent", sa.Text, nullable=False),
)
