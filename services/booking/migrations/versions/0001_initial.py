"""Venues and what they have, bookings and what they occupy."""

from alembic import op

from servicekit.migrations import create_platform_tables, isolate

revision = "0001"
down_revision = None

_TENANT_TABLES = (
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
_PLATFORM_TABLES = ("idempotency_keys", "timers", "inbox", "relay_confirmations", "outbox")

_STATEMENTS = (
    """
    CREATE TABLE venues (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        name TEXT NOT NULL,
        slug TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        currency TEXT NOT NULL,
        address TEXT NOT NULL,
        version BIGINT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT venues_id_unique UNIQUE (id),
        CONSTRAINT venues_slug_taken UNIQUE (slug)
    )
    """,
    """
    CREATE TABLE areas (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT areas_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT areas_name_taken UNIQUE (organization_id, venue_id, name),
        CONSTRAINT areas_in_venue UNIQUE (organization_id, venue_id, id)
    )
    """,
    """
    CREATE TABLE resources (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        area_id UUID,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        min_party INTEGER NOT NULL,
        max_party INTEGER NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT resources_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT resources_in_area FOREIGN KEY(organization_id, venue_id, area_id)
            REFERENCES areas (organization_id, venue_id, id),
        CONSTRAINT resources_name_taken UNIQUE (organization_id, venue_id, name),
        CONSTRAINT resources_in_venue UNIQUE (organization_id, venue_id, id),
        CONSTRAINT resources_party_range CHECK (1 <= min_party AND min_party <= max_party)
    )
    """,
    """
    CREATE TABLE combinations (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        name TEXT NOT NULL,
        min_party INTEGER NOT NULL,
        max_party INTEGER NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT combinations_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT combinations_name_taken UNIQUE (organization_id, venue_id, name),
        CONSTRAINT combinations_in_venue UNIQUE (organization_id, venue_id, id),
        CONSTRAINT combinations_party_range CHECK (1 <= min_party AND min_party <= max_party)
    )
    """,
    """
    CREATE TABLE combination_members (
        organization_id UUID NOT NULL,
        venue_id UUID NOT NULL,
        combination_id UUID NOT NULL,
        resource_id UUID NOT NULL,
        PRIMARY KEY (organization_id, combination_id, resource_id),
        CONSTRAINT combination_members_of_combination FOREIGN KEY(organization_id, venue_id, combination_id)
            REFERENCES combinations (organization_id, venue_id, id),
        CONSTRAINT combination_members_in_venue FOREIGN KEY(organization_id, venue_id, resource_id)
            REFERENCES resources (organization_id, venue_id, id)
    )
    """,
    """
    CREATE TABLE offerings (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        name TEXT NOT NULL,
        turn_times JSONB NOT NULL,
        slot_minutes INTEGER NOT NULL,
        min_notice_minutes INTEGER NOT NULL,
        max_advance_days INTEGER NOT NULL,
        deposit_from_party INTEGER,
        deposit_per_person BIGINT,
        free_cancellation_hours INTEGER,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT offerings_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT offerings_name_taken UNIQUE (organization_id, venue_id, name),
        CONSTRAINT offerings_in_venue UNIQUE (organization_id, venue_id, id),
        CONSTRAINT offerings_slots_advance CHECK (slot_minutes > 0),
        CONSTRAINT offerings_deposit_whole CHECK (
                num_nulls(deposit_from_party, deposit_per_person, free_cancellation_hours) IN (0, 3)
            )
    )
    """,
    """
    CREATE TABLE shifts (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_id UUID NOT NULL,
        weekdays SMALLINT[] NOT NULL,
        opens INTEGER NOT NULL,
        last_start INTEGER NOT NULL,
        closes INTEGER NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT shifts_of_offering FOREIGN KEY(organization_id, venue_id, offering_id)
            REFERENCES offerings (organization_id, venue_id, id),
        CONSTRAINT shifts_in_order CHECK (
                0 <= opens AND opens <= last_start AND last_start < closes AND closes <= opens + 1440
            )
    )
    """,
    """
    CREATE INDEX shifts_venue ON shifts (organization_id, venue_id)
    """,
    """
    CREATE TABLE service_days (
        organization_id UUID NOT NULL,
        venue_id UUID NOT NULL,
        service_date DATE NOT NULL,
        version BIGINT NOT NULL,
        PRIMARY KEY (organization_id, venue_id, service_date),
        CONSTRAINT service_days_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id)
    )
    """,
    """
    CREATE TABLE guests (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        phone TEXT NOT NULL,
        language TEXT NOT NULL,
        PRIMARY KEY (organization_id, id)
    )
    """,
    """
    CREATE TABLE bookings (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_id UUID NOT NULL,
        guest_id UUID NOT NULL,
        status TEXT NOT NULL,
        party_size INTEGER NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        end_at TIMESTAMP WITH TIME ZONE NOT NULL,
        service_date DATE NOT NULL,
        resource_ids UUID[] NOT NULL,
        notes TEXT NOT NULL,
        deposit_amount BIGINT,
        deposit_currency TEXT,
        free_cancellation_hours INTEGER,
        deposit_paid_at TIMESTAMP WITH TIME ZONE,
        hold_expires_at TIMESTAMP WITH TIME ZONE,
        cancelled_by TEXT,
        version INTEGER NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT bookings_of_offering FOREIGN KEY(organization_id, venue_id, offering_id)
            REFERENCES offerings (organization_id, venue_id, id),
        CONSTRAINT bookings_of_guest FOREIGN KEY(organization_id, guest_id)
            REFERENCES guests (organization_id, id),
        CONSTRAINT bookings_party_positive CHECK (party_size > 0),
        CONSTRAINT bookings_take_time CHECK (start_at < end_at),
        CONSTRAINT bookings_status_known CHECK (status IN ('held', 'confirmed', 'cancelled', 'expired')),
        CONSTRAINT bookings_only_holds_expire CHECK ((status = 'held') = (hold_expires_at IS NOT NULL)),
        CONSTRAINT bookings_cancelled_by_somebody CHECK ((status = 'cancelled') = (cancelled_by IS NOT NULL))
    )
    """,
    """
    CREATE INDEX bookings_day ON bookings (organization_id, venue_id, service_date, start_at, id)
    """,
    """
    CREATE TABLE allocations (
        organization_id UUID NOT NULL,
        booking_id UUID NOT NULL,
        resource_id UUID NOT NULL,
        venue_id UUID NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        end_at TIMESTAMP WITH TIME ZONE NOT NULL,
        during TSTZRANGE
            GENERATED ALWAYS AS (tstzrange(start_at, end_at)) STORED NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE,
        PRIMARY KEY (organization_id, booking_id, resource_id),
        CONSTRAINT allocations_no_overlap EXCLUDE USING gist (resource_id WITH =, during WITH &&),
        CONSTRAINT allocations_of_booking FOREIGN KEY(organization_id, booking_id)
            REFERENCES bookings (organization_id, id),
        CONSTRAINT allocations_in_venue FOREIGN KEY(organization_id, venue_id, resource_id)
            REFERENCES resources (organization_id, venue_id, id),
        CONSTRAINT allocations_take_time CHECK (start_at < end_at),
        CONSTRAINT allocations_at_most_a_day CHECK (end_at - start_at <= interval '24 hours')
    )
    """,
    """
    CREATE INDEX allocations_venue ON allocations (organization_id, venue_id, start_at)
    """,
    """
    CREATE TABLE manage_tokens (
        token_hash BYTEA NOT NULL,
        organization_id UUID NOT NULL,
        booking_id UUID NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        PRIMARY KEY (token_hash),
        CONSTRAINT manage_tokens_of_booking FOREIGN KEY(organization_id, booking_id)
            REFERENCES bookings (organization_id, id),
        CONSTRAINT manage_tokens_hashed CHECK (octet_length(token_hash) = 32)
    )
    """,
    """
    CREATE TABLE booking_changes (
        organization_id UUID NOT NULL,
        booking_id UUID NOT NULL,
        version INTEGER NOT NULL,
        kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        user_id UUID,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        PRIMARY KEY (organization_id, booking_id, version),
        CONSTRAINT booking_changes_of_booking FOREIGN KEY(organization_id, booking_id)
            REFERENCES bookings (organization_id, id)
    )
    """,
)


def upgrade() -> None:
    create_platform_tables("booking")
    for statement in _STATEMENTS:
        op.execute(statement)
    isolate("booking", *_TENANT_TABLES)


def downgrade() -> None:
    for table in (*reversed(_TENANT_TABLES), *_PLATFORM_TABLES):
        op.drop_table(table)
