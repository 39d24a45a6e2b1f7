"""Offerings have a version, and may go off sale for good: their names are free again then."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_DEFINITION = sa.text(
    "SELECT pg_get_functiondef(oid) FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace AND proname = 'venue_plan'"
)
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
    _rewrite(_BEFORE, _RETIRED + _BEFORE)


def downgrade() -> None:
    _rewrite(_RETIRED + _BEFORE, _BEFORE)
    op.execute("DROP INDEX offerings_name_taken")
    # What is off sale would be sold again under a name that may be another one's by now.
    op.execute("ALTER TABLE offerings NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE offerings SET name = name || ' ' || id WHERE retired_at IS NOT NULL")
    op.execute("ALTER TABLE offerings FORCE ROW LEVEL SECURITY")
    op.execute(
        "ALTER TABLE offerings DROP COLUMN version, DROP COLUMN retired_at,"
        " ADD CONSTRAINT offerings_name_taken UNIQUE (organization_id, venue_id, name)"
    )


def _rewrite(before: str, after: str) -> None:
    """The same plan of a venue, with one list more or less."""
    definition = op.get_bind().execute(_DEFINITION).scalar_one()
    if definition.count(before) != 1:
        raise RuntimeError(before)
    op.get_bind().exec_driver_sql(definition.replace(before, after))
