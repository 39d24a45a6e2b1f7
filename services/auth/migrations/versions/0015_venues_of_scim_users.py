"""The venues of people whose membership ended, until their provider brings them back."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("scim_users", sa.Column("venues", sa.ARRAY(sa.Uuid), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("scim_users", "venues")
