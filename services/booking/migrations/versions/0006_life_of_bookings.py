"""A booking's whole life: requests, visits, no-shows, reasons, terms; and blocks of resources by staff."""

import runpy
from pathlib import Path

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

# The same plan, and its hours and the terms of its offerings.
_PLAN = """
CREATE OR REPLACE FUNCTION venue_plan(p_organization uuid, p_venue uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'time_zone', v.time_zone,
        'currency', v.currency,
        'resources', (
            SELECT json_agg(json_build_array(r.id, r.name, r.kind, r.min_party, r.max_party))
            FROM resources r WHERE r.organization_id = p_organization AND r.venue_id = p_venue
        ),
        'combinations', (
            SELECT json_agg(json_build_array(c.id, c.name, c.min_party, c.max_party, (
                SELECT json_agg(m.resource_id ORDER BY m.resource_id) FROM combination_members m
                WHERE m.organization_id = p_organization AND m.combination_id = c.id
            )))
            FROM combinations c WHERE c.organization_id = p_organization AND c.venue_id = p_venue
        ),
        'offerings', (
            SELECT json_agg(json_build_array(
                o.id, o.name, o.turn_times, o.slot_minutes, o.min_notice_minutes, o.max_advance_days,
                o.deposit_from_party, o.deposit_per_person, o.free_cancellation_hours
            ))
            FROM offerings o WHERE o.organization_id = p_organization AND o.venue_id = p_venue
        ),
        'terms', (
            SELECT json_object_agg(o.id, o.terms)
            FROM offerings o WHERE o.organization_id = p_organization AND o.venue_id = p_venue
        ),
        'shifts', (
            SELECT json_agg(
                json_build_array(s.id, s.offering_id, s.weekdays, s.opens, s.last_start, s.closes)
            )
            FROM shifts s WHERE s.organization_id = p_organization AND s.venue_id = p_venue
        ),
        'hours', venue_hours(p_organization, p_venue)
    )
    FROM venues v WHERE v.organization_id = p_organization AND v.id = p_venue
$$
"""

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

# As before, with `p_more`: what a booking has beyond the columns that all had from the beginning; and behind
# whoever changes the venue's hours or capacity (lock_venue in store/days.py). The earlier function stays for
# the program before this one, and goes with the next release.
_COMMIT = """
CREATE FUNCTION commit_booking(
    p_guarded boolean, p_organization uuid, p_key text, p_fingerprint bytea,
    p_venue uuid, p_venue_version bigint, p_date date, p_day_version bigint,
    p_booking uuid, p_offering uuid, p_status text, p_party integer, p_start timestamptz, p_end timestamptz,
    p_resources uuid[], p_notes text, p_deposit bigint, p_currency text, p_free_hours integer,
    p_created_at timestamptz, p_hold_expires_at timestamptz,
    p_guest uuid, p_name text, p_email text, p_phone text, p_language text,
    p_token_hash bytea, p_actor text, p_user uuid,
    p_event uuid, p_topic text, p_type text, p_payload bytea, p_traceparent text,
    p_timer uuid, p_timer_kind text, p_timer_due timestamptz, p_more jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    written integer;
    sits timestamptz := CASE WHEN p_status = 'seated' THEN p_created_at END;
BEGIN
    PERFORM set_config('app.organization_id', p_organization::text, true),
        pg_advisory_xact_lock_shared(hashtextextended('venue ' || p_venue::text, 0));
    INSERT INTO service_days AS d (organization_id, venue_id, service_date, version)
    VALUES (p_organization, p_venue, p_date, 1)
    ON CONFLICT (organization_id, venue_id, service_date) DO UPDATE SET version = d.version + 1
        WHERE d.version = p_day_version OR NOT p_guarded;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM venues WHERE organization_id = p_organization AND id = p_venue AND version = p_venue_version;
    IF NOT FOUND THEN
        RAISE SQLSTATE 'CB001';
    END IF;
    IF p_key IS NOT NULL THEN
        INSERT INTO idempotency_keys (organization_id, key, fingerprint, resource_id)
        VALUES (p_organization, p_key, p_fingerprint, p_booking) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE SQLSTATE 'CB001';
        END IF;
    END IF;
    INSERT INTO guests (
        organization_id, id, name, email, phone, language, preferences, marketing_consent_at
    ) VALUES (
        p_organization, p_guest, p_name, p_email, p_phone, p_language, COALESCE(p_more->'preferences', '{}'),
        CASE WHEN (p_more->>'marketing_consent')::boolean THEN p_created_at END
    );
    INSERT INTO bookings (
        organization_id, id, venue_id, offering_id, guest_id, status, party_size, start_at, end_at,
        service_date, resource_ids, notes, deposit_amount, deposit_currency, free_cancellation_hours,
        hold_expires_at, version, created_at, price_amount, price_currency, policy, grace_minutes,
        overridden, pinned, arrived_at, seated_at
    ) VALUES (
        p_organization, p_booking, p_venue, p_offering, p_guest, p_status, p_party, p_start, p_end, p_date,
        p_resources, p_notes, p_deposit, p_currency, p_free_hours, p_hold_expires_at,
        1, p_created_at, (p_more->>'price')::bigint, p_more->>'price_currency',
        COALESCE(p_more->>'policy', ''), (p_more->>'grace_minutes')::integer,
        ARRAY(SELECT jsonb_array_elements_text(p_more->'overridden')),
        COALESCE((p_more->>'pinned')::boolean, false), sits, sits
    );
    INSERT INTO allocations (organization_id, booking_id, resource_id, venue_id, start_at, end_at, expires_at)
    SELECT p_organization, p_booking, each, p_venue, p_start, p_end, p_hold_expires_at
    FROM unnest(p_resources) AS each ORDER BY each
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(p_resources) THEN
        RAISE SQLSTATE 'CB001';
    END IF;
    INSERT INTO manage_tokens (token_hash, organization_id, booking_id)
    VALUES (p_token_hash, p_organization, p_booking);
    INSERT INTO booking_changes (
        organization_id, booking_id, version, kind, actor, user_id, start_at, reason, differences
    ) VALUES (
        p_organization, p_booking, 1, p_status, p_actor, p_user, p_start, COALESCE(p_more->>'reason', ''),
        COALESCE(p_more->'differences', '{}')
    );
    INSERT INTO outbox (event_id, organization_id, topic, key, type, subject, payload, headers)
    VALUES (
        p_event, p_organization, p_topic, uuid_send(p_booking), p_type, p_booking::text, p_payload,
        CASE WHEN p_traceparent IS NULL THEN '{}' ELSE jsonb_build_object('traceparent', p_traceparent) END
    );
    IF p_timer_due IS NOT NULL THEN
        INSERT INTO timers (id, organization_id, kind, key, due_at, traceparent)
        VALUES (p_timer, p_organization, p_timer_kind, p_booking::text, p_timer_due, p_traceparent);
    END IF;
    RETURN true;
END
$$
"""


def upgrade() -> None:
    for statement in (*_TABLES, _PLAN, _READ, _COMMIT):
        op.execute(statement)
    isolate("booking", "blocks")


def downgrade() -> None:
    earlier = runpy.run_path(str(Path(__file__).with_name("0002_hot_paths.py")))
    for name in ("_PLAN", "_READ"):
        op.execute(earlier[name].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(_COMMIT.split(" RETURNS boolean", maxsplit=1)[0].replace("CREATE FUNCTION", "DROP FUNCTION"))
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
