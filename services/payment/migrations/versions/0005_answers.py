"""Answers to calls with an Idempotency-Key, kept for a day."""

from alembic import op

from servicekit.migrations import add_platform_tables

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    add_platform_tables()


def downgrade() -> None:
    op.drop_table("answers")
