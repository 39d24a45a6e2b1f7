"""What a session says of its log-in and of its end, and what was revoked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from servicekit.migrations import isolate

revision = "0003"
down_revision = "0002"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Defaults that are true of what is there, and of what replicas of the version before still insert.
    op.add_column("sessions", sa.Column("methods", ARRAY(sa.Text), nullable=False, server_default="{pwd}"))
    op.add_column(
        "sessions",
        sa.Column("authenticated_at", _MOMENT, nullable=False, server_default=sa.text("now()")),
    )
    op.add_column("sessions", sa.Column("device", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("address", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("end_reason", sa.Text))
    # Forced policies bind the owner, too, who migrates: lifted for this one statement.
    op.execute("ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE sessions SET authenticated_at = created_at,"
        " end_reason = CASE WHEN ended_at IS NOT NULL THEN 'logged_out' END"
    )
    op.execute("ALTER TABLE sessions FORCE ROW LEVEL SECURITY")
    op.create_index(
        "sessions_user", "sessions", ["user_id", "id"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "revocations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid, nullable=False),
        sa.Column("revoked_at", _MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
    )
    op.create_index("revocations_revoked_at", "revocations", ["revoked_at"])
    isolate("auth", "revocations")


def downgrade() -> None:
    op.drop_table("revocations")
    op.drop_index("sessions_user", "sessions")
    for column in ("end_reason", "address", "device", "authenticated_at", "methods"):
        op.drop_column("sessions", column)
