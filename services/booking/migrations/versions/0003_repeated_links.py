"""Tells the links of repeated answers from all others, so that only the newest few of them are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    repeated = sa.Column("repeated", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("manage_tokens", repeated)
    op.create_index(
        "manage_tokens_repeated",
        "manage_tokens",
        ["organization_id", "booking_id"],
        postgresql_where=sa.text("repeated"),
    )


def downgrade() -> None:
    op.drop_index("manage_tokens_repeated", "manage_tokens")
    op.drop_column("manage_tokens", "repeated")
