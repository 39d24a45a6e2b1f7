"""The connection that a log-in came by, while it waits for its second step."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("challenges", sa.Column("connection_id", sa.Uuid))


def downgrade() -> None:
    op.drop_column("challenges", "connection_id")
