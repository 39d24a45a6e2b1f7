"""The two statements that every booking needs, a round trip each: read service days, commit to a plan."""

from alembic import op

revision = "0002"
down_revision = "0001"

# STABLE: all its parts see the calling statement's snapshot, so versions and allocations belong together. It
# sets the tenant itself, for callers on a bare connection; row-level security then binds it like everybody.
_READ = """
CREATE FUNCTION read_service_days(
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
            array_agg(o.booking_id) AS booking_ids,
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

_PLAN = """
CREATE FUNCTION venue_plan(p_organization uuid, p_venue uuid) RETURNS json LANGUAGE sql STABLE AS $$
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

# False: the day has changed since the plan was made, and nothing was written. Whoever loses later, after rows
# were written, is raised as CB001, so that they vanish. `p_guarded` is false only in the negative control of
# the torture test. Allocations go in by ON CONFLICT and in order, which cannot deadlock, and are counted: all
# or none.
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
    p_timer uuid, p_timer_kind text, p_timer_due timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    written integer;
BEGIN
    PERFORM set_config('app.organization_id', p_organization::text, true);
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
    INSERT INTO guests (organization_id, id, name, email, phone, language)
    VALUES (p_organization, p_guest, p_name, p_email, p_phone, p_language);
    INSERT INTO bookings (
        organization_id, id, venue_id, offering_id, guest_id, status, party_size, start_at, end_at,
        service_date, resource_ids, notes, deposit_amount, deposit_currency, free_cancellation_hours,
        hold_expires_at, version, created_at
    ) VALUES (
        p_organization, p_booking, p_venue, p_offering, p_guest, p_status, p_party, p_start, p_end, p_date,
        p_resources, p_notes, p_deposit, p_currency, p_free_hours, p_hold_expires_at,
        1, p_created_at
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
    INSERT INTO booking_changes (organization_id, booking_id, version, kind, actor, user_id, start_at)
    VALUES (p_organization, p_booking, 1, p_status, p_actor, p_user, p_start);
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
    for statement in (_PLAN, _READ, _COMMIT):
        op.execute(statement)


def downgrade() -> None:
    for name in ("commit_booking", "read_service_days", "venue_plan"):
        op.execute(f"DROP FUNCTION {name}")
