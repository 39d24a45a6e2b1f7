"""The version of the API that a key is pinned to at its first use."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    # Keys in use are pinned at their next exchange, within half a minute of a call.
    op.add_column("api_keys", sa.Column("pinned_version", sa.Text))
    op.create_check_constraint(
        "api_keys_pinned_to_a_date", "api_keys", "pinned_version ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'"
    )


def downgrade() -> None:
    op.drop_constraint("api_keys_pinned_to_a_date", "api_keys")
    op.drop_column("api_keys", "pinned_version")
