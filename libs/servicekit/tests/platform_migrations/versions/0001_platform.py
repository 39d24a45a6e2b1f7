"""servicekit's own tables, and one of a tenant."""

from alembic import op

from servicekit.migrations import create_platform_tables, create_retention_table, isolate

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_platform_tables("booking")
    op.execute("CREATE TABLE notes (organization_id uuid NOT NULL, id uuid PRIMARY KEY, text text NOT NULL)")
    isolate("booking", "notes")
    create_retention_table("booking")
