"""The tables of support. What people wrote is here and nowhere else."""

import sqlalchemy as sa

from servicekit.tables import platform_tables, retention_table

METADATA = sa.MetaData()
platform_tables(METADATA)
retention_table(METADATA)

_MOMENT = sa.DateTime(timezone=True)

TICKETS = sa.Table(
    "tickets",
    METADATA,
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
# The list of all tickets, newest first.
sa.Index("tickets_newest", TICKETS.c.organization_id, TICKETS.c.created_at, TICKETS.c.id)
# The tickets of one booking: staff's filter, newest first, and what the guest sees, oldest first.
sa.Index(
    "tickets_booking", TICKETS.c.organization_id, TICKETS.c.booking_id, TICKETS.c.created_at, TICKETS.c.id
)
# What was resolved long ago is purged.
sa.Index(
    "tickets_resolved",
    TICKETS.c.organization_id,
    TICKETS.c.resolved_at,
    postgresql_where=TICKETS.c.resolved_at.is_not(None),
)

MESSAGES = sa.Table(
    "ticket_messages",
    METADATA,
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
# The messages of a ticket, oldest first.
sa.Index("ticket_messages_ticket", MESSAGES.c.organization_id, MESSAGES.c.ticket_id, MESSAGES.c.created_at)

# Bookings whose guests were erased: a link that was opened just before opens no ticket any more.
ERASED_BOOKINGS = sa.Table(
    "erased_bookings",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, primary_key=True),
    sa.Column("erased_at", _MOMENT, nullable=False, server_default=sa.text("now()")),
)
