"""The waitlist: entries, the offers made to them, and the secrets of their links."""

from alembic import op

from servicekit.migrations import isolate

revision = "0007"
down_revision = "0006"

_TABLES = ("waitlist_entries", "waitlist_offers", "waitlist_tokens")
_STATEMENTS = (
    """
    CREATE TABLE waitlist_entries (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_id UUID NOT NULL,
        guest_id UUID NOT NULL,
        contact BYTEA NOT NULL,
        status TEXT NOT NULL,
        party_size INTEGER NOT NULL,
        best_date DATE NOT NULL,
        flexible_days INTEGER NOT NULL,
        first_date DATE NOT NULL,
        last_date DATE NOT NULL,
        earliest INTEGER NOT NULL,
        latest INTEGER NOT NULL,
        notes TEXT NOT NULL,
        version INTEGER NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT waitlist_entries_of_offering FOREIGN KEY(organization_id, venue_id, offering_id)
            REFERENCES offerings (organization_id, venue_id, id),
        CONSTRAINT waitlist_entries_of_guest FOREIGN KEY(organization_id, guest_id)
            REFERENCES guests (organization_id, id),
        CONSTRAINT waitlist_entries_status_known CHECK (status IN (
            'waiting', 'offered', 'accepted', 'declined', 'expired', 'withdrawn', 'removed', 'closed'
        )),
        CONSTRAINT waitlist_entries_party_positive CHECK (party_size > 0),
        CONSTRAINT waitlist_entries_days_few CHECK (
            first_date <= last_date AND last_date - first_date <= 14
        ),
        CONSTRAINT waitlist_entries_window CHECK (0 <= earliest AND earliest <= latest),
        CONSTRAINT waitlist_entries_one_of_contact EXCLUDE USING gist (
            organization_id WITH =, venue_id WITH =, contact WITH =,
            daterange(first_date, last_date, '[]') WITH &&
        ) WHERE (status IN ('waiting', 'offered'))
    )
    """,
    "CREATE INDEX waitlist_entries_days ON waitlist_entries (organization_id, venue_id, first_date)",
    """
    CREATE TABLE waitlist_offers (
        organization_id UUID NOT NULL,
        booking_id UUID NOT NULL,
        entry_id UUID NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        outcome TEXT NOT NULL,
        made_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        PRIMARY KEY (organization_id, booking_id),
        CONSTRAINT waitlist_offers_of_booking FOREIGN KEY(organization_id, booking_id)
            REFERENCES bookings (organization_id, id),
        CONSTRAINT waitlist_offers_of_entry FOREIGN KEY(organization_id, entry_id)
            REFERENCES waitlist_entries (organization_id, id),
        CONSTRAINT waitlist_offers_outcome_known CHECK (outcome IN (
            'pending', 'accepted', 'declined', 'expired', 'withdrawn', 'removed', 'closed'
        ))
    )
    """,
    """
    CREATE UNIQUE INDEX waitlist_offers_one_pending ON waitlist_offers (organization_id, entry_id)
        WHERE outcome = 'pending'
    """,
    "CREATE INDEX waitlist_offers_entry ON waitlist_offers (organization_id, entry_id)",
    """
    CREATE TABLE waitlist_tokens (
        token_hash BYTEA NOT NULL,
        organization_id UUID NOT NULL,
        entry_id UUID NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        PRIMARY KEY (token_hash),
        CONSTRAINT waitlist_tokens_of_entry FOREIGN KEY(organization_id, entry_id)
            REFERENCES waitlist_entries (organization_id, id),
        CONSTRAINT waitlist_tokens_hashed CHECK (octet_length(token_hash) = 32)
    )
    """,
    "CREATE INDEX waitlist_tokens_entry ON waitlist_tokens (organization_id, entry_id)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    isolate("booking", *_TABLES)


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
