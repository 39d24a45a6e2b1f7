"""Bookings whose guests were erased: nobody opens a ticket about them any more."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import isolate

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "erased_bookings",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("booking_id", sa.Uuid, primary_key=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    isolate("support", "erased_bookings")


def downgrade() -> None:
    op.drop_table("erased_bookings")
