"""How far the consumer has come in each log, with the name of the record it came to."""

from alembic import op

from servicekit.migrations import add_platform_tables

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    add_platform_tables()


def downgrade() -> None:
    op.drop_table("consumer_positions")
