"""The versions that an answered search depends on, in one statement: whether it is still true."""

from alembic import op

revision = "0004"
down_revision = "0003"

_VERSIONS = """
CREATE FUNCTION read_day_versions(
    p_organization uuid, p_venue uuid, p_from date, p_to date,
    OUT venue_version bigint, OUT day_dates date[], OUT day_versions bigint[]
) RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM set_config('app.organization_id', p_organization::text, true);
    RETURN QUERY
    SELECT v.version, d.dates, d.versions
    FROM venues v
    CROSS JOIN LATERAL (
        SELECT array_agg(s.service_date) AS dates, array_agg(s.version) AS versions
        FROM service_days s
        WHERE s.organization_id = p_organization AND s.venue_id = p_venue
            AND s.service_date BETWEEN p_from AND p_to
    ) d
    WHERE v.organization_id = p_organization AND v.id = p_venue;
END
$$
"""


def upgrade() -> None:
    op.execute(_VERSIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION read_day_versions")
