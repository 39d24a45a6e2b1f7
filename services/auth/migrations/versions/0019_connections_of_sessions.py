"""Which connection a session was opened by; and when refresh tokens last went on, and which are forgiven."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    # Sessions of before say by their methods that it was one, and not which.
    op.add_column("sessions", sa.Column("connection_id", sa.Uuid))
    for table in ("sessions", "operator_sessions"):
        op.add_column(table, sa.Column("stepped_at", sa.DateTime(timezone=True)))
        op.add_column(table, sa.Column("forgiven", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    for table in ("operator_sessions", "sessions"):
        op.drop_column(table, "forgiven")
        op.drop_column(table, "stepped_at")
    op.drop_column("sessions", "connection_id")
