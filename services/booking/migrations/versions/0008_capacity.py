"""Capacity: what resources have, rows of neighbours, operations, pacing; and what re-seating has to know."""

from alembic import op

from servicekit.migrations import isolate

revision = "0008"
down_revision = "0007"

# Everything has a default: the program before this one goes on writing meanwhile.
_TABLES = (
    "ALTER TABLE venues ADD COLUMN reseating BOOLEAN DEFAULT true NOT NULL",
    """
    ALTER TABLE resources
        ADD COLUMN attributes TEXT[] DEFAULT '{}' NOT NULL,
        ADD COLUMN priority INTEGER DEFAULT 0 NOT NULL,
        ADD COLUMN online BOOLEAN DEFAULT true NOT NULL,
        ADD COLUMN in_service BOOLEAN DEFAULT true NOT NULL
    """,
    """
    ALTER TABLE combinations
        ADD COLUMN max_joined INTEGER,
        ADD COLUMN seats_lost_per_joint INTEGER,
        ADD COLUMN run_min_party INTEGER,
        ADD CONSTRAINT combinations_adjacency_whole
            CHECK (num_nulls(max_joined, seats_lost_per_joint, run_min_party) IN (0, 3))
    """,
    "ALTER TABLE combination_members ADD COLUMN place INTEGER DEFAULT 0 NOT NULL",
    "ALTER TABLE offerings ADD COLUMN visit JSONB DEFAULT '{}' NOT NULL",
    """
    ALTER TABLE bookings
        ADD COLUMN channel TEXT DEFAULT 'online' NOT NULL,
        ADD COLUMN area_id UUID,
        ADD COLUMN attributes TEXT[] DEFAULT '{}' NOT NULL,
        ADD CONSTRAINT bookings_channel_known CHECK (channel IN ('online', 'staff')) NOT VALID
    """,
    "ALTER TABLE bookings VALIDATE CONSTRAINT bookings_channel_known",
    """
    CREATE TABLE pacing_rules (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_id UUID,
        interval_minutes INTEGER NOT NULL,
        max_covers INTEGER,
        max_parties INTEGER,
        online_covers INTEGER,
        online_parties INTEGER,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT pacing_rules_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT pacing_rules_of_offering FOREIGN KEY(organization_id, venue_id, offering_id)
            REFERENCES offerings (organization_id, venue_id, id),
        CONSTRAINT pacing_rules_advance CHECK (interval_minutes > 0),
        CONSTRAINT pacing_rules_limit_something
            CHECK (num_nonnulls(max_covers, max_parties, online_covers, online_parties) > 0)
    )
    """,
    "CREATE INDEX pacing_rules_venue ON pacing_rules (organization_id, venue_id)",
)

# The same plan, without what is out of service, and with hours, terms, and what the solver knows besides. A
# row of neighbours looks to the program before this one like a combination for a thousand people.
_PLAN = """
CREATE OR REPLACE FUNCTION venue_plan(p_organization uuid, p_venue uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'time_zone', v.time_zone,
        'currency', v.currency,
        'reseating', v.reseating,
        'resources', (
            SELECT json_agg(json_build_array(r.id, r.name, r.kind, r.min_party, r.max_party))
            FROM resources r
            WHERE r.organization_id = p_organization AND r.venue_id = p_venue AND r.in_service
        ),
        'floor', (
            SELECT json_object_agg(r.id, json_build_array(r.area_id, r.attributes, r.priority, r.online))
            FROM resources r
            WHERE r.organization_id = p_organization AND r.venue_id = p_venue AND r.in_service
        ),
        'combinations', (
            SELECT json_agg(json_build_array(c.id, c.name, c.min_party, c.max_party, (
                SELECT json_agg(m.resource_id ORDER BY m.place, m.resource_id) FROM combination_members m
                WHERE m.organization_id = p_organization AND m.combination_id = c.id
            )))
            FROM combinations c WHERE c.organization_id = p_organization AND c.venue_id = p_venue
        ),
        'rows', (
            SELECT json_object_agg(
                c.id, json_build_array(c.max_joined, c.seats_lost_per_joint, c.run_min_party)
            )
            FROM combinations c
            WHERE c.organization_id = p_organization AND c.venue_id = p_venue AND c.max_joined IS NOT NULL
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
        'visits', (
            SELECT json_object_agg(o.id, o.visit)
            FROM offerings o WHERE o.organization_id = p_organization AND o.venue_id = p_venue
        ),
        'pacing', (
            SELECT json_agg(json_build_array(
                p.id, p.offering_id, p.interval_minutes, p.max_covers, p.max_parties, p.online_covers,
                p.online_parties
            ))
            FROM pacing_rules p WHERE p.organization_id = p_organization AND p.venue_id = p_venue
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

# As `read_service_days`, which goes with the next release, and the versions of other days than those that it
# reads the bookings of. With `p_placements` also the bookings that count on these days, and all of each
# block, also where bookings are that came first. One that staff made an exception for stays where it is.
_READ = """
CREATE FUNCTION read_venue_days(
    p_organization uuid, p_venue uuid, p_known_version bigint, p_dates date[], p_touching date[],
    p_from timestamptz, p_to timestamptz, p_key text, p_placements boolean,
    OUT now timestamptz, OUT venue_version bigint, OUT plan text,
    OUT day_dates date[], OUT day_versions bigint[],
    OUT resource_ids uuid[], OUT starts bigint[], OUT ends bigint[], OUT booking_ids uuid[],
    OUT alive boolean[],
    OUT earlier_booking uuid, OUT earlier_fingerprint bytea,
    OUT placed_ids uuid[], OUT placed_offerings uuid[], OUT placed_dates date[], OUT placed_starts bigint[],
    OUT placed_ends bigint[], OUT placed_sizes integer[], OUT placed_channels text[], OUT placed_areas uuid[],
    OUT placed_attributes text[], OUT placed_sizes_waived boolean[], OUT placed_movable boolean[]
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
        k.resource_id, k.fingerprint,
        b.ids, b.offerings, b.dates, b.starts, b.ends, b.sizes, b.channels, b.areas, b.attributes,
        b.sizes_waived, b.movable
    FROM venues v
    CROSS JOIN LATERAL (
        SELECT array_agg(s.service_date) AS dates, array_agg(s.version) AS versions
        FROM service_days s
        WHERE s.organization_id = p_organization AND s.venue_id = p_venue
            AND s.service_date = ANY (p_touching)
    ) d
    CROSS JOIN LATERAL (
        SELECT
            array_agg(o.resource_id) AS resource_ids,
            array_agg(extract(epoch FROM o.start_at)::bigint) AS starts,
            array_agg(extract(epoch FROM o.end_at)::bigint) AS ends,
            array_agg(COALESCE(o.booking_id, o.block_id)) AS booking_ids,
            array_agg(o.expires_at IS NULL OR o.expires_at > statement_timestamp()) AS alive
        FROM (
            SELECT l.resource_id, l.start_at, l.end_at, l.booking_id, l.block_id, l.expires_at
            FROM allocations l
            WHERE l.organization_id = p_organization AND l.venue_id = p_venue
                AND l.start_at > p_from - interval '24 hours' AND l.start_at < p_to AND l.end_at > p_from
            UNION ALL
            SELECT r.id, w.start_at, w.end_at, NULL, w.id, NULL
            FROM blocks w CROSS JOIN LATERAL unnest(w.resource_ids) AS r(id)
            WHERE p_placements AND w.organization_id = p_organization AND w.venue_id = p_venue
                AND w.start_at > p_from - interval '31 days' AND w.start_at < p_to AND w.end_at > p_from
        ) o
    ) a
    CROSS JOIN LATERAL (
        SELECT
            array_agg(g.id) AS ids, array_agg(g.offering_id) AS offerings,
            array_agg(g.service_date) AS dates,
            array_agg(extract(epoch FROM g.start_at)::bigint) AS starts,
            array_agg(extract(epoch FROM g.end_at)::bigint) AS ends,
            array_agg(g.party_size) AS sizes, array_agg(g.channel) AS channels, array_agg(g.area_id) AS areas,
            array_agg(array_to_string(g.attributes, ' ')) AS attributes,
            array_agg('party_size' = ANY (g.overridden)) AS sizes_waived,
            array_agg(
                g.status IN ('requested', 'held', 'confirmed') AND NOT g.pinned
                AND cardinality(g.overridden) = 0 AND g.start_at > statement_timestamp()
            ) AS movable
        FROM bookings g
        WHERE p_placements AND g.organization_id = p_organization AND g.venue_id = p_venue
            AND g.service_date = ANY (p_dates)
            AND (
                g.status IN ('confirmed', 'arrived', 'seated', 'completed')
                OR (
                    g.status IN ('requested', 'held') AND g.hold_expires_at > statement_timestamp()
                    AND cardinality(g.resource_ids) > 0
                )
            )
    ) b
    LEFT JOIN idempotency_keys k ON k.organization_id = p_organization AND k.key = p_key
    WHERE v.organization_id = p_organization AND v.id = p_venue;
END
$$
"""

# As the one of 0002, which stays for the program before this one and goes with the next release; and behind
# whoever changes the venue's hours or capacity (lock_venue in store/days.py). In `p_more`: what a booking has
# beyond the columns that all had from the beginning, and what it occupies at other times than its stay.
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
        overridden, pinned, arrived_at, seated_at, channel, area_id, attributes
    ) VALUES (
        p_organization, p_booking, p_venue, p_offering, p_guest, p_status, p_party, p_start, p_end, p_date,
        p_resources, p_notes, p_deposit, p_currency, p_free_hours, p_hold_expires_at,
        1, p_created_at, (p_more->>'price')::bigint, p_more->>'price_currency',
        COALESCE(p_more->>'policy', ''), (p_more->>'grace_minutes')::integer,
        ARRAY(SELECT jsonb_array_elements_text(p_more->'overridden')),
        COALESCE((p_more->>'pinned')::boolean, false), sits, sits,
        COALESCE(p_more->>'channel', 'online'), (p_more->>'area')::uuid,
        ARRAY(SELECT jsonb_array_elements_text(p_more->'attributes'))
    );
    INSERT INTO allocations (organization_id, booking_id, resource_id, venue_id, start_at, end_at, expires_at)
    SELECT p_organization, p_booking, o.resource_id, p_venue, o.start_at, o.end_at, p_hold_expires_at
    FROM (
        SELECT each AS resource_id, p_start AS start_at, p_end AS end_at
        FROM unnest(p_resources) AS each WHERE p_more->'occupations' IS NULL
        UNION ALL
        SELECT (row->>0)::uuid, to_timestamp((row->>1)::bigint), to_timestamp((row->>2)::bigint)
        FROM jsonb_array_elements(p_more->'occupations') AS row
    ) o ORDER BY o.resource_id, o.start_at
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> COALESCE(jsonb_array_length(p_more->'occupations'), cardinality(p_resources)) THEN
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
    isolate("booking", "pacing_rules")


def downgrade() -> None:
    op.execute(_COMMIT.split(" RETURNS boolean", maxsplit=1)[0].replace("CREATE FUNCTION", "DROP FUNCTION"))
    op.execute("DROP FUNCTION read_venue_days")
    op.execute(_PLAN_BEFORE)
    op.drop_table("pacing_rules")
    for table, columns in _ADDED.items():
        for column in columns:
            op.drop_column(table, column)


_ADDED = {
    "venues": ("reseating",),
    "resources": ("attributes", "priority", "online", "in_service"),
    "combinations": ("max_joined", "seats_lost_per_joint", "run_min_party"),
    "combination_members": ("place",),
    "offerings": ("visit",),
    "bookings": ("channel", "area_id", "attributes"),
}

# The plan of 0002.
_PLAN_BEFORE = """
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
        'shifts', (
            SELECT json_agg(
                json_build_array(s.id, s.offering_id, s.weekdays, s.opens, s.last_start, s.closes)
            )
            FROM shifts s WHERE s.organization_id = p_organization AND s.venue_id = p_venue
        )
    )
    FROM venues v WHERE v.organization_id = p_organization AND v.id = p_venue
$$
"""
