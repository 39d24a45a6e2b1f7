"""Offerings have a version, and may go off sale for good: their names are free again then."""

from alembic import op

from servicekit.migrations import rewrite_function

revision = "0021"
down_revision = "0020"

_BEFORE = "'terms', ("
_RETIRED = """'retired', (
            SELECT json_agg(o.id) FROM offerings o
            WHERE o.organization_id = p_organization AND o.venue_id = p_venue AND o.retired_at IS NOT NULL
        ),
        """


def upgrade() -> None:
    op.execute(
        "ALTER TABLE offerings ADD COLUMN version INTEGER DEFAULT 1 NOT NULL,"
        " ADD COLUMN retired_at TIMESTAMPTZ, DROP CONSTRAINT offerings_name_taken"
    )
    op.execute(
        "CREATE UNIQUE INDEX offerings_name_taken ON offerings (organization_id, venue_id, name)"
        " WHERE retired_at IS NULL"
    )
    rewrite_function("venue_plan", (_BEFORE, _RETIRED + _BEFORE))


def downgrade() -> None:
    rewrite_function("venue_plan", (_RETIRED + _BEFORE, _BEFORE))
    op.execute("DROP INDEX offerings_name_taken")
    # What is off sale would be sold again under a name that may be another one's by now.
    op.execute("ALTER TABLE offerings NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE offerings SET name = name || ' ' || id WHERE retired_at IS NOT NULL")
    op.execute("ALTER TABLE offerings FORCE ROW LEVEL SECURITY")
    op.execute(
        "ALTER TABLE offerings DROP COLUMN version, DROP COLUMN retired_at,"
        " ADD CONSTRAINT offerings_name_taken UNIQUE (organization_id, venue_id, name)"
    )
