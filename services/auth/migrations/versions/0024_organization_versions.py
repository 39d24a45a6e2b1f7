"""Versions of organizations and roles: whoever changes one says which they have read."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    for table in ("organizations", "roles"):
        op.add_column(table, sa.Column("version", sa.Integer, nullable=False, server_default="1"))


def downgrade() -> None:
    for table in ("roles", "organizations"):
        op.drop_column(table, "version")
