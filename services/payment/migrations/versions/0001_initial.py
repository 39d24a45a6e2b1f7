"""Payments, refunds and the webhook inbox."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_platform_tables, isolate

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_OWN_TABLES = ("provider_events", "refunds", "payments")
_PLATFORM_TABLES = ("idempotency_keys", "timers", "inbox", "relay_confirmations", "outbox")


def upgrade() -> None:
    create_platform_tables("payment")
    _create_payments()
    _create_refunds()
    _create_provider_events()
    isolate("payment", "payments", "refunds")
    _close_to_tenants("provider_events")


def downgrade() -> None:
    for table in (*_OWN_TABLES, *_PLATFORM_TABLES):
        op.drop_table(table)


def _create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("refunded_amount", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("provider_reference", sa.Text),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.UniqueConstraint("organization_id", "booking_id", name="payments_one_per_booking"),
        sa.UniqueConstraint("provider", "provider_reference", name="payments_reference_once"),
        sa.CheckConstraint("amount > 0", name="payments_amount_positive"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payments_currency_coded"),
        sa.CheckConstraint(
            "status IN ('pending', 'succeeded', 'cancelled', 'refunded')", name="payments_status_known"
        ),
        sa.CheckConstraint("refunded_amount BETWEEN 0 AND amount", name="payments_refunded_at_most_paid"),
        sa.CheckConstraint(
            "(status = 'refunded') = (refunded_amount = amount)", name="payments_refunded_when_all_went_back"
        ),
        sa.CheckConstraint(
            "status NOT IN ('succeeded', 'refunded') OR provider_reference IS NOT NULL",
            name="payments_paid_by_reference",
        ),
    )
    op.create_index("payments_list", "payments", ["organization_id", "created_at", "id"])


def _create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("payment_id", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("provider_reference", sa.Text),
        sa.Column("leased_until", _MOMENT),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(
            ["organization_id", "payment_id"],
            ["payments.organization_id", "payments.id"],
            name="refunds_of_payment",
        ),
        sa.UniqueConstraint("organization_id", "payment_id", "cause", name="refunds_one_per_cause"),
        sa.UniqueConstraint("provider_reference", name="refunds_reference_once"),
        sa.CheckConstraint("amount > 0", name="refunds_amount_positive"),
        sa.CheckConstraint("state IN ('due', 'succeeded', 'failed')", name="refunds_state_known"),
        sa.CheckConstraint(
            "state <> 'succeeded' OR provider_reference IS NOT NULL", name="refunds_made_by_reference"
        ),
    )


def _create_provider_events() -> None:
    op.create_table(
        "provider_events",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("reference", sa.Text),
        sa.Column("received_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.Column("handled_at", _MOMENT),
        sa.Column("outcome", sa.Text),
        sa.CheckConstraint(
            "(handled_at IS NULL) = (outcome IS NULL)", name="provider_events_handled_somehow"
        ),
    )
    op.create_index(
        "provider_events_unknown",
        "provider_events",
        ["received_at"],
        postgresql_where=sa.text("outcome = 'unknown'"),
    )


def _close_to_tenants(table: str) -> None:
    """Row-level security with a platform policy, and no tenant one: a tenant's transaction sees no row."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY platform ON {table} TO payment_platform USING (true) WITH CHECK (true)")
