"""Tickets and their messages."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_platform_tables, isolate

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_TABLES = (
    "ticket_messages",
    "tickets",
    "idempotency_keys",
    "timers",
    "inbox",
    "relay_confirmations",
    "outbox",
)


def upgrade() -> None:
    create_platform_tables("support")
    _create_tickets()
    _create_messages()
    isolate("support", "tickets", "ticket_messages")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)


def _create_tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("resolved_at", _MOMENT),
        sa.CheckConstraint("status IN ('open', 'answered', 'resolved')", name="tickets_status_known"),
        sa.CheckConstraint(
            "(status = 'resolved') = (resolved_at IS NOT NULL)", name="tickets_resolved_at_a_time"
        ),
        sa.CheckConstraint("subject <> ''", name="tickets_subject_said"),
    )
    op.create_index("tickets_newest", "tickets", ["organization_id", "created_at", "id"])
    op.create_index("tickets_booking", "tickets", ["organization_id", "booking_id", "created_at", "id"])


def _create_messages() -> None:
    op.create_table(
        "ticket_messages",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("ticket_id", sa.Uuid, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("staff_user_id", sa.Uuid),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "ticket_id"],
            ["tickets.organization_id", "tickets.id"],
            name="ticket_messages_of_ticket",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("author IN ('guest', 'staff')", name="ticket_messages_author_known"),
        sa.CheckConstraint(
            "(author = 'staff') = (staff_user_id IS NOT NULL)", name="ticket_messages_staff_has_user"
        ),
        sa.CheckConstraint("text <> ''", name="ticket_messages_text_said"),
    )
    op.create_index(
        "ticket_messages_ticket", "ticket_messages", ["organization_id", "ticket_id", "created_at"]
    )
