"""Facts about venues, bookings and payments."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_platform_tables, isolate

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_FACTS = (
    "capacity_windows",
    "capacity_seats",
    "capacities",
    "venues",
    "booking_facts",
    "payment_facts",
    "refund_facts",
)
_PLATFORM_TABLES = ("idempotency_keys", "timers", "inbox", "relay_confirmations", "outbox")


def upgrade() -> None:
    create_platform_tables("analytics")
    _create_venues()
    _create_bookings()
    _create_payments()
    isolate("analytics", *_FACTS)


def downgrade() -> None:
    for table in (*_FACTS, *_PLATFORM_TABLES):
        op.drop_table(table)


def _create_venues() -> None:
    op.create_table(
        "venues",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("venue_id", sa.Uuid, primary_key=True),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
    )
    op.create_table(
        "capacities",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("venue_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("since", _MOMENT, nullable=False),
    )
    op.create_table(
        "capacity_seats",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("venue_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("resource_id", sa.Uuid, primary_key=True),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "venue_id", "version"],
            ["capacities.organization_id", "capacities.venue_id", "capacities.version"],
            name="capacity_seats_of_capacity",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("seats > 0", name="capacity_seats_positive"),
    )
    op.create_table(
        "capacity_windows",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("venue_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("weekday", sa.SmallInteger, primary_key=True),
        sa.Column("opens", sa.SmallInteger, primary_key=True),
        sa.Column("closes", sa.SmallInteger, primary_key=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "venue_id", "version"],
            ["capacities.organization_id", "capacities.venue_id", "capacities.version"],
            name="capacity_windows_of_capacity",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("weekday BETWEEN 1 AND 7", name="capacity_windows_weekday_iso"),
        sa.CheckConstraint("0 <= opens AND opens < closes", name="capacity_windows_open_before_close"),
    )


def _create_bookings() -> None:
    op.create_table(
        "booking_facts",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("booking_id", sa.Uuid, primary_key=True),
        sa.Column("venue_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("party_size", sa.Integer, nullable=False),
        sa.Column("starts_at", _MOMENT, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
        sa.Column("service_date", sa.Date, nullable=False),
        sa.Column("resource_ids", sa.ARRAY(sa.Uuid), nullable=False),
        sa.Column("told_at", _MOMENT, nullable=False),
        sa.Column("confirmed_at", _MOMENT),
        sa.Column("cancelled_at", _MOMENT),
        sa.CheckConstraint(
            "status IN ('held', 'confirmed', 'cancelled', 'expired')", name="booking_facts_status_known"
        ),
    )
    op.create_index(
        "booking_facts_service_day", "booking_facts", ["organization_id", "venue_id", "service_date"]
    )
    op.create_index(
        "booking_facts_confirmed", "booking_facts", ["organization_id", "venue_id", "confirmed_at"]
    )
    op.create_index(
        "booking_facts_cancelled", "booking_facts", ["organization_id", "venue_id", "cancelled_at"]
    )
    op.create_index("booking_facts_told", "booking_facts", ["organization_id", "told_at"])


def _create_payments() -> None:
    op.create_table(
        "payment_facts",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("payment_id", sa.Uuid, primary_key=True),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("paid_at", _MOMENT, nullable=False),
        sa.CheckConstraint("amount >= 0", name="payment_facts_amount_not_negative"),
    )
    op.create_index("payment_facts_paid", "payment_facts", ["organization_id", "paid_at"])
    op.create_table(
        "refund_facts",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("payment_id", sa.Uuid, primary_key=True),
        sa.Column("refunded", sa.BigInteger, primary_key=True),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("refunded_at", _MOMENT, nullable=False),
        sa.CheckConstraint("refunded >= 0", name="refund_facts_refunded_not_negative"),
    )
    op.create_index("refund_facts_refunded", "refund_facts", ["organization_id", "refunded_at"])
