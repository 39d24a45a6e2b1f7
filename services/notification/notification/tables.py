"""The tables of notification. No address, no name and no text of a mail is ever stored here."""

import sqlalchemy as sa

from servicekit.tables import platform_tables, retention_table

METADATA = sa.MetaData()
platform_tables(METADATA)
retention_table(METADATA)

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")

# The newest version of every booking that was heard of: an older event changes nothing any more.
BOOKING_VERSIONS = sa.Table(
    "booking_versions",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("booking_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)

# organization_id is null for mails about accounts, and only for them: those rows satisfy no tenant's policy,
# so that only a platform transaction reads or writes them.
NOTIFICATIONS = sa.Table(
    "notifications",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Uuid, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("booking_id", sa.Uuid),
    sa.Column("starts_at", _MOMENT),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", _MOMENT, nullable=False),
    sa.Column("sent_at", _MOMENT),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.UniqueConstraint(
        "organization_id",
        "kind",
        "subject_id",
        "version",
        name="notifications_once",
        postgresql_nulls_not_distinct=True,
    ),
    sa.CheckConstraint(
        "(organization_id IS NULL) = (kind IN ('email_verification', 'account'))",
        name="notifications_only_accounts_untenanted",
    ),
    sa.CheckConstraint(
        "status IN ('scheduled', 'sending', 'sent', 'cancelled', 'failed', 'suppressed')",
        name="notifications_status_known",
    ),
    sa.CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name="notifications_sent_at_a_time"),
)
# The mails of a booking: listed by staff; its reminders called off by a change.
sa.Index("notifications_booking", NOTIFICATIONS.c.organization_id, NOTIFICATIONS.c.booking_id)
MAIL_OVER_AT = sa.func.greatest(
    sa.func.coalesce(NOTIFICATIONS.c.sent_at, NOTIFICATIONS.c.due_at), NOTIFICATIONS.c.starts_at
)
"""From when on a mail gets old: when it ended, or when what it speaks of began, whichever is later."""
# What ended long ago is purged.
sa.Index(
    "notifications_over",
    NOTIFICATIONS.c.organization_id,
    MAIL_OVER_AT,
    postgresql_where=NOTIFICATIONS.c.status.not_in(["scheduled", "sending"]),
)

WEBHOOK_ENDPOINTS = sa.Table(
    "webhook_endpoints",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("event_types", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("failing_since", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
)

WEBHOOK_DELIVERIES = sa.Table(
    "webhook_deliveries",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("endpoint_id", sa.Uuid, nullable=False),
    sa.Column("event_id", sa.Uuid, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    # The bytes that are signed and posted: every try sends the same ones.
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    # When the try in flight began; null when there is none. Found by a later claim, that try was cut short.
    sa.Column("in_flight_since", _MOMENT),
    sa.Column("next_attempt_at", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.ForeignKeyConstraint(
        ["organization_id", "endpoint_id"],
        ["webhook_endpoints.organization_id", "webhook_endpoints.id"],
        name="webhook_deliveries_of_endpoint",
        ondelete="CASCADE",
    ),
    sa.UniqueConstraint("organization_id", "endpoint_id", "event_id", name="webhook_deliveries_once"),
    sa.CheckConstraint(
        "status IN ('pending', 'delivered', 'failed')", name="webhook_deliveries_status_known"
    ),
    sa.CheckConstraint(
        "(status = 'pending') = (next_attempt_at IS NOT NULL)", name="webhook_deliveries_pending_has_next"
    ),
)
# The delivery log of an endpoint, newest first.
sa.Index(
    "webhook_deliveries_log",
    WEBHOOK_DELIVERIES.c.organization_id,
    WEBHOOK_DELIVERIES.c.endpoint_id,
    WEBHOOK_DELIVERIES.c.id.desc(),
)
# How many tries an endpoint has in flight.
sa.Index(
    "webhook_deliveries_in_flight",
    WEBHOOK_DELIVERIES.c.organization_id,
    WEBHOOK_DELIVERIES.c.endpoint_id,
    postgresql_where=WEBHOOK_DELIVERIES.c.in_flight_since.is_not(None),
)

# What ended long ago is purged.
sa.Index(
    "webhook_deliveries_over",
    WEBHOOK_DELIVERIES.c.organization_id,
    WEBHOOK_DELIVERIES.c.created_at,
    postgresql_where=WEBHOOK_DELIVERIES.c.status != "pending",
)

WEBHOOK_ATTEMPTS = sa.Table(
    "webhook_attempts",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("delivery_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("attempted_at", _MOMENT, nullable=False),
    sa.Column("response_status", sa.Integer, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id", "delivery_id"],
        ["webhook_deliveries.organization_id", "webhook_deliveries.id"],
        name="webhook_attempts_of_delivery",
        ondelete="CASCADE",
    ),
)

ISOLATED = (
    "booking_versions",
    "notifications",
    "webhook_endpoints",
    "webhook_deliveries",
    "webhook_attempts",
    "retention_settings",
)
"""Every table of ours: row-level security is forced on each."""
