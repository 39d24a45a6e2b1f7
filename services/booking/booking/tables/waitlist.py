"""Who waits for what, the room that is kept for them, and the secrets of their links."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from booking.tables.schema import METADATA, MOMENT, NOW

WAITLIST_ENTRIES = sa.Table(
    "waitlist_entries",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    # UUIDv7: its order is the order of the line.
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("venue_id", sa.Uuid, nullable=False),
    sa.Column("offering_id", sa.Uuid, nullable=False),
    # Personal data has its one place, as with bookings.
    sa.Column("guest_id", sa.Uuid, nullable=False),
    # A hash of the normalised e-mail address: who this is, as far as one contact waits once.
    sa.Column("contact", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("party_size", sa.Integer, nullable=False),
    sa.Column("best_date", sa.Date, nullable=False),
    sa.Column("flexible_days", sa.Integer, nullable=False),
    sa.Column("first_date", sa.Date, nullable=False),
    sa.Column("last_date", sa.Date, nullable=False),
    # Minutes of wall clock after the midnight that the service day begins with.
    sa.Column("earliest", sa.Integer, nullable=False),
    sa.Column("latest", sa.Integer, nullable=False),
    # What the party asks of the place.
    sa.Column("area_id", sa.Uuid),
    sa.Column("attributes", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    sa.Column("notes", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("asked_at", MOMENT, nullable=False),
    # Joined with an address that waits already, without its link: only whoever joined sees it.
    sa.Column("unproven", sa.Boolean, nullable=False, server_default=sa.false()),
    # When somebody who joined like that last had the mail with this entry's link sent to its address.
    sa.Column("link_mailed_at", MOMENT),
    # The booking by whose link it was joined, and whether that is cancelled once an offer is confirmed.
    sa.Column("booking_id", sa.Uuid),
    sa.Column("instead_of_booking", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="waitlist_entries_of_booking",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "venue_id", "offering_id"],
        ["offerings.organization_id", "offerings.venue_id", "offerings.id"],
        name="waitlist_entries_of_offering",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "guest_id"],
        ["guests.organization_id", "guests.id"],
        name="waitlist_entries_of_guest",
    ),
    sa.CheckConstraint(
        "status IN ('waiting', 'offered', 'accepted', 'declined', 'expired', 'withdrawn', 'removed',"
        " 'closed')",
        name="waitlist_entries_status_known",
    ),
    sa.CheckConstraint("party_size > 0", name="waitlist_entries_party_positive"),
    # What reads by day looks no farther back.
    sa.CheckConstraint(
        "first_date <= last_date AND last_date - first_date <= 14", name="waitlist_entries_days_few"
    ),
    sa.CheckConstraint("0 <= earliest AND earliest <= latest", name="waitlist_entries_window"),
    # One contact waits once for a day.
    ExcludeConstraint(
        ("organization_id", "="),
        ("venue_id", "="),
        ("contact", "="),
        (sa.text("daterange(first_date, last_date, '[]')"), "&&"),
        name="waitlist_entries_one_of_contact",
        using="gist",
        where=sa.text("status IN ('waiting', 'offered')"),
    ),
)
# Who waits for a day: entries of the last 15 first days.
sa.Index(
    "waitlist_entries_days",
    WAITLIST_ENTRIES.c.organization_id,
    WAITLIST_ENTRIES.c.venue_id,
    WAITLIST_ENTRIES.c.first_date,
)
# Waits that are long over are purged.
sa.Index(
    "waitlist_entries_over",
    WAITLIST_ENTRIES.c.organization_id,
    WAITLIST_ENTRIES.c.last_date,
    postgresql_where=WAITLIST_ENTRIES.c.status.not_in(["waiting", "offered"]),
)

# One row for each booking that was ever held for an entry.
WAITLIST_OFFERS = sa.Table(
    "waitlist_offers",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, primary_key=True),
    sa.Column("entry_id", sa.Uuid, nullable=False),
    sa.Column("start_at", MOMENT, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False, server_default=NOW),
    # NULL while it is pending.
    sa.Column("ended_at", MOMENT),
    sa.ForeignKeyConstraint(
        ["organization_id", "booking_id"],
        ["bookings.organization_id", "bookings.id"],
        name="waitlist_offers_of_booking",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "entry_id"],
        ["waitlist_entries.organization_id", "waitlist_entries.id"],
        name="waitlist_offers_of_entry",
    ),
    sa.CheckConstraint(
        "outcome IN ('pending', 'accepted', 'declined', 'expired', 'withdrawn', 'removed', 'closed')",
        name="waitlist_offers_outcome_known",
    ),
)
# The last line: nobody is offered two places at once, whatever the program does.
sa.Index(
    "waitlist_offers_one_pending",
    WAITLIST_OFFERS.c.organization_id,
    WAITLIST_OFFERS.c.entry_id,
    unique=True,
    postgresql_where=WAITLIST_OFFERS.c.outcome == sa.text("'pending'"),
)
# What an entry was offered.
sa.Index("waitlist_offers_entry", WAITLIST_OFFERS.c.organization_id, WAITLIST_OFFERS.c.entry_id)

# The hash of a link's secret. Joining again leaves the newest only.
WAITLIST_TOKENS = sa.Table(
    "waitlist_tokens",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("entry_id", sa.Uuid, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id", "entry_id"],
        ["waitlist_entries.organization_id", "waitlist_entries.id"],
        name="waitlist_tokens_of_entry",
    ),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="waitlist_tokens_hashed"),
)
# What joining again makes void.
sa.Index("waitlist_tokens_entry", WAITLIST_TOKENS.c.organization_id, WAITLIST_TOKENS.c.entry_id)
