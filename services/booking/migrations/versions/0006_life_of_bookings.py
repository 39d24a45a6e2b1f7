"""A booking's whole life: requests, visits, no-shows, reasons, terms; and blocks of resources by staff."""

from alembic import op

from servicekit.migrations import isolate

revision = "0006"
down_revision = "0005"

_STATUSES = (
    "'requested', 'held', 'confirmed', 'arrived', 'seated', 'completed', 'cancelled', 'no_show', 'expired',"
    " 'declined'"
)

# Everything has a default: while an upgrade runs, the program before this one goes on writing bookings. Its
# bookings have no grace, so only staff decide that they were missed.
_TABLES = (
    "ALTER TABLE offerings ADD COLUMN terms JSONB DEFAULT '{}' NOT NULL",
    """
    ALTER TABLE guests
        ADD COLUMN preferences JSONB DEFAULT '{}' NOT NULL,
        ADD COLUMN marketing_consent_at TIMESTAMP WITH TIME ZONE
    """,
    f"""
    ALTER TABLE bookings
        ADD COLUMN price_amount BIGINT,
        ADD COLUMN price_currency TEXT,
        ADD COLUMN policy TEXT DEFAULT '' NOT NULL,
        ADD COLUMN grace_minutes INTEGER,
        ADD COLUMN overridden TEXT[] DEFAULT '{{}}' NOT NULL,
        ADD COLUMN pinned BOOLEAN DEFAULT false NOT NULL,
        ADD COLUMN reason_code TEXT DEFAULT '' NOT NULL,
        ADD COLUMN reason TEXT DEFAULT '' NOT NULL,
        ADD COLUMN late_minutes INTEGER DEFAULT 0 NOT NULL,
        ADD COLUMN arrived_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN seated_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN completed_at TIMESTAMP WITH TIME ZONE,
        DROP CONSTRAINT bookings_status_known,
        DROP CONSTRAINT bookings_only_holds_expire,
        ADD CONSTRAINT bookings_status_known CHECK (status IN ({_STATUSES})) NOT VALID,
        ADD CONSTRAINT bookings_only_holds_expire
            CHECK ((status IN ('held', 'requested')) = (hold_expires_at IS NOT NULL)) NOT VALID
    """,
    "ALTER TABLE bookings VALIDATE CONSTRAINT bookings_status_known",
    "ALTER TABLE bookings VALIDATE CONSTRAINT bookings_only_holds_expire",
    """
    ALTER TABLE booking_changes
        ADD COLUMN reason_code TEXT DEFAULT '' NOT NULL,
        ADD COLUMN reason TEXT DEFAULT '' NOT NULL,
        ADD COLUMN differences JSONB DEFAULT '{}' NOT NULL
    """,
    """
    CREATE TABLE blocks (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        resource_ids UUID[] NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        end_at TIMESTAMP WITH TIME ZONE NOT NULL,
        reason TEXT NOT NULL,
        created_by UUID,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT blocks_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT blocks_take_time CHECK (start_at < end_at),
        CONSTRAINT blocks_at_most_a_month CHECK (end_at - start_at <= interval '31 days')
    )
    """,
    "CREATE INDEX blocks_venue ON blocks (organization_id, venue_id, start_at)",
    """
    ALTER TABLE allocations
        ADD COLUMN block_id UUID,
        DROP CONSTRAINT allocations_pkey,
        ALTER COLUMN booking_id DROP NOT NULL,
        ADD CONSTRAINT allocations_pkey PRIMARY KEY (organization_id, resource_id, start_at),
        ADD CONSTRAINT allocations_of_block FOREIGN KEY (organization_id, block_id)
            REFERENCES blocks (organization_id, id),
        ADD CONSTRAINT allocations_of_one CHECK (num_nonnulls(booking_id, block_id) = 1)
    """,
    "CREATE INDEX allocations_booking ON allocations (organization_id, booking_id)",
    "CREATE INDEX allocations_block ON allocations (organization_id, block_id) WHERE block_id IS NOT NULL",
)

# The same read; what a block occupies is named by the block.
_READ = """
CREATE OR REPLACE FUNCTION read_service_days(
    p_organization uuid, p_venue uuid, p_known_version bigint, p_dates date[],
    p_from timestamptz, p_to timestamptz, p_key text,
    OUT now timestamptz, OUT venue_version bigint, OUT plan text,
    OUT day_dates date[], OUT day_versions bigint[],
    OUT resource_ids uuid[], OUT starts bigint[], OUT ends bigint[], OUT booking_ids uuid[],
    OUT alive boolean[],
    OUT earlier_booking uuid, OUT earlier_fingerprint bytea
) RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM set_config('app.organization_id', p_organization::text, true);
    RETURN QUERY
    SELECT
        statement_timestamp(),
        v.version,
        CASE
            WHEN v.version IS DISTINCT FROM p_known_version THEN venue_plan(p_organization, p_venue)::text
        END,
        d.dates, d.versions,
        a.resource_ids, a.starts, a.ends, a.booking_ids, a.alive,
        k.resource_id, k.fingerprint
    FROM venues v
    CROSS JOIN LATERAL (
        SELECT array_agg(s.service_date) AS dates, array_agg(s.version) AS versions
        FROM service_days s
        WHERE s.organization_id = p_organization AND s.venue_id = p_venue AND s.service_date = ANY (p_dates)
    ) d
    CROSS JOIN LATERAL (
        SELECT
            array_agg(o.resource_id) AS resource_ids,
            array_agg(extract(epoch FROM o.start_at)::bigint) AS starts,
            array_agg(extract(epoch FROM o.end_at)::bigint) AS ends,
            array_agg(COALESCE(o.booking_id, o.block_id)) AS booking_ids,
            array_agg(o.expires_at IS NULL OR o.expires_at > statement_timestamp()) AS alive
        FROM allocations o
        WHERE o.organization_id = p_organization AND o.venue_id = p_venue
            AND o.start_at > p_from - interval '24 hours' AND o.start_at < p_to AND o.end_at > p_from
    ) a
    LEFT JOIN idempotency_keys k ON k.organization_id = p_organization AND k.key = p_key
    WHERE v.organization_id = p_organization AND v.id = p_venue;
END
$$
"""


def upgrade() -> None:
    for statement in (*_TABLES, _READ):
        op.execute(statement)
    isolate("booking", "blocks")


def downgrade() -> None:
    op.execute(_READ.replace("COALESCE(o.booking_id, o.block_id)", "o.booking_id"))
    op.execute("DELETE FROM allocations WHERE block_id IS NOT NULL")
    op.execute("DROP INDEX allocations_booking")
    op.execute(
        """
        ALTER TABLE allocations
            DROP COLUMN block_id,
            DROP CONSTRAINT allocations_pkey,
            ALTER COLUMN booking_id SET NOT NULL,
            ADD CONSTRAINT allocations_pkey PRIMARY KEY (organization_id, booking_id, resource_id)
        """
    )
    op.drop_table("blocks")
    op.execute(
        """
        UPDATE bookings SET hold_expires_at = NULL, status = CASE
            WHEN status IN ('requested', 'declined') THEN 'expired'
            ELSE 'confirmed'
        END
        WHERE status IN ('requested', 'declined', 'arrived', 'seated', 'completed', 'no_show')
        """
    )
    for table, columns in _ADDED.items():
        for column in columns:
            op.drop_column(table, column)
    op.execute(
        """
        ALTER TABLE bookings
            DROP CONSTRAINT bookings_status_known,
            DROP CONSTRAINT bookings_only_holds_expire,
            ADD CONSTRAINT bookings_status_known
                CHECK (status IN ('held', 'confirmed', 'cancelled', 'expired')),
            ADD CONSTRAINT bookings_only_holds_expire
                CHECK ((status = 'held') = (hold_expires_at IS NOT NULL))
        """
    )


_ADDED = {
    "offerings": ("terms",),
    "guests": ("preferences", "marketing_consent_at"),
    "booking_changes": ("reason_code", "reason", "differences"),
    "bookings": (
        "price_amount",
        "price_currency",
        "policy",
        "grace_minutes",
        "overridden",
        "pinned",
        "reason_code",
        "reason",
        "late_minutes",
        "arrived_at",
        "seated_at",
        "completed_at",
    ),
}
