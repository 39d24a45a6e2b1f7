"""Hours beyond weekly shifts: date exceptions, closures, buffers, local deadlines of notice and release."""

from alembic import op

from servicekit.migrations import isolate

revision = "0005"
down_revision = "0004"

_TABLES = ("date_exceptions", "closures")
# What existed has defaults: the program before this one goes on writing offerings and shifts meanwhile.
_STATEMENTS = (
    "ALTER TABLE shifts ADD COLUMN must_finish BOOLEAN DEFAULT false NOT NULL",
    "ALTER TABLE offerings ADD COLUMN times JSONB DEFAULT '{}' NOT NULL",
    """
    CREATE TABLE date_exceptions (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_id UUID NOT NULL,
        service_date DATE NOT NULL,
        windows JSONB NOT NULL,
        reason TEXT NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT date_exceptions_of_offering FOREIGN KEY(organization_id, venue_id, offering_id)
            REFERENCES offerings (organization_id, venue_id, id),
        CONSTRAINT date_exceptions_taken UNIQUE (organization_id, offering_id, service_date)
    )
    """,
    "CREATE INDEX date_exceptions_venue ON date_exceptions (organization_id, venue_id, service_date)",
    """
    CREATE TABLE closures (
        organization_id UUID NOT NULL,
        id UUID NOT NULL,
        venue_id UUID NOT NULL,
        offering_ids UUID[] NOT NULL,
        first_date DATE NOT NULL,
        last_date DATE NOT NULL,
        begins INTEGER,
        ends INTEGER,
        cuts_tail BOOLEAN NOT NULL,
        reason TEXT NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (organization_id, id),
        CONSTRAINT closures_of_venue FOREIGN KEY(organization_id, venue_id)
            REFERENCES venues (organization_id, id),
        CONSTRAINT closures_in_order CHECK (first_date <= last_date),
        CONSTRAINT closures_at_most_a_year CHECK (last_date - first_date < 366),
        CONSTRAINT closures_times_whole CHECK (num_nulls(begins, ends) IN (0, 2)),
        CONSTRAINT closures_times_in_order CHECK (0 <= begins AND begins < ends AND ends <= begins + 1440)
    )
    """,
    "CREATE INDEX closures_venue ON closures (organization_id, venue_id, last_date)",
)

# What a week ago was is of no use to any plan: nothing that is over can be booked.
_HOURS = """
CREATE FUNCTION venue_hours(p_organization uuid, p_venue uuid) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'zone', v.time_zone,
        'shifts', (
            SELECT json_agg(json_build_array(
                s.id, s.offering_id, s.weekdays, s.opens, s.last_start, s.closes, s.must_finish
            ))
            FROM shifts s WHERE s.organization_id = p_organization AND s.venue_id = p_venue
        ),
        'exceptions', (
            SELECT json_agg(json_build_array(e.id, e.offering_id, e.service_date, e.windows, e.note))
            FROM date_exceptions e
            WHERE e.organization_id = p_organization AND e.venue_id = p_venue
                AND e.service_date > current_date - 7
        ),
        'closures', (
            SELECT json_agg(json_build_array(
                c.id, c.offering_ids, c.first_date, c.last_date, c.begins, c.ends, c.cuts_tail,
                c.note
            ))
            FROM closures c
            WHERE c.organization_id = p_organization AND c.venue_id = p_venue
                AND c.last_date > current_date - 7
        ),
        'times', (
            SELECT json_object_agg(o.id, o.times)
            FROM offerings o WHERE o.organization_id = p_organization AND o.venue_id = p_venue
        )
    )
    FROM venues v WHERE v.organization_id = p_organization AND v.id = p_venue
$$
"""


def upgrade() -> None:
    for statement in (*_STATEMENTS, _HOURS):
        op.execute(statement)
    isolate("booking", *_TABLES)


def downgrade() -> None:
    op.execute("DROP FUNCTION venue_hours")
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_column("offerings", "times")
    op.drop_column("shifts", "must_finish")
