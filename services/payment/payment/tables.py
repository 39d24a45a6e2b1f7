"""The tables of payment: what was asked of a guest, what goes back, and what the provider told us."""

import sqlalchemy as sa

from servicekit.tables import platform_tables

METADATA = sa.MetaData()
platform_tables(METADATA)

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")

PLATFORM_ONLY = ("provider_events",)
"""Tables without organization_id, closed to tenants: whose event it is, is not known when it comes in."""

PAYMENTS = sa.Table(
    "payments",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("refunded_amount", sa.BigInteger, nullable=False, server_default="0"),
    # Of a guest who did not come; NULL while nobody said so.
    sa.Column("no_show_fee", sa.BigInteger),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("provider_reference", sa.Text),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    # One deposit per booking, however often it is asked for; and the way from a booking to its payment.
    sa.UniqueConstraint("organization_id", "booking_id", name="payments_one_per_booking"),
    # The way from a webhook to the payment.
    sa.UniqueConstraint("provider", "provider_reference", name="payments_reference_once"),
    sa.CheckConstraint("amount > 0", name="payments_amount_positive"),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payments_currency_coded"),
    sa.CheckConstraint(
        "status IN ('pending', 'succeeded', 'cancelled', 'refunded')", name="payments_status_known"
    ),
    sa.CheckConstraint("refunded_amount BETWEEN 0 AND amount", name="payments_refunded_at_most_paid"),
    sa.CheckConstraint("no_show_fee BETWEEN 0 AND amount", name="payments_fee_at_most_paid"),
    sa.CheckConstraint(
        "(status = 'refunded') = (refunded_amount = amount)", name="payments_refunded_when_all_went_back"
    ),
    sa.CheckConstraint(
        "status NOT IN ('succeeded', 'refunded') OR provider_reference IS NOT NULL",
        name="payments_paid_by_reference",
    ),
)
# The list, newest first, read backwards.
sa.Index("payments_list", PAYMENTS.c.organization_id, PAYMENTS.c.created_at, PAYMENTS.c.id)

REFUNDS = sa.Table(
    "refunds",
    METADATA,
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
    # One refund per payment and cause, however often the cause is told.
    sa.UniqueConstraint("organization_id", "payment_id", "cause", name="refunds_one_per_cause"),
    sa.UniqueConstraint("provider_reference", name="refunds_reference_once"),
    sa.CheckConstraint("amount > 0", name="refunds_amount_positive"),
    sa.CheckConstraint("state IN ('due', 'succeeded', 'failed')", name="refunds_state_known"),
    sa.CheckConstraint(
        "state <> 'succeeded' OR provider_reference IS NOT NULL", name="refunds_made_by_reference"
    ),
)

# The webhook inbox: what we were told, also of what we do not know, for as long as anybody may ask.
PROVIDER_EVENTS = sa.Table(
    "provider_events",
    METADATA,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("reference", sa.Text),
    sa.Column("received_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.Column("handled_at", _MOMENT),
    sa.Column("outcome", sa.Text),
    sa.CheckConstraint("(handled_at IS NULL) = (outcome IS NULL)", name="provider_events_handled_somehow"),
)
# Operators look for what nobody knew, newest first.
sa.Index(
    "provider_events_unknown",
    PROVIDER_EVENTS.c.received_at,
    postgresql_where=PROVIDER_EVENTS.c.outcome == "unknown",
)
# What was handled long ago is purged.
sa.Index(
    "provider_events_handled",
    PROVIDER_EVENTS.c.handled_at,
    postgresql_where=PROVIDER_EVENTS.c.handled_at.is_not(None),
)
