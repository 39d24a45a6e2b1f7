"""When an organization ended all sessions of a member, and the mail that tells them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("memberships", sa.Column("sessions_ended_at", sa.DateTime(timezone=True)))
    op.add_column("account_mails", sa.Column("organization_name", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("account_mails", "organization_name")
    op.drop_column("memberships", "sessions_ended_at")
