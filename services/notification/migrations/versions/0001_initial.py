"""Mails and webhooks."""

from alembic import op

from servicekit.migrations import create_platform_tables, isolate

revision = "0001"
down_revision = None

_TABLES = (
    "webhook_attempts",
    "webhook_deliveries",
    "webhook_endpoints",
    "notifications",
    "booking_versions",
)

_BOOKING_VERSIONS = """
CREATE TABLE booking_versions (
    organization_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (organization_id, booking_id)
)
"""

_NOTIFICATIONS = """
CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    organization_id uuid,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    version bigint NOT NULL,
    booking_id uuid,
    starts_at timestamptz,
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notifications_once UNIQUE NULLS NOT DISTINCT (organization_id, kind, subject_id, version),
    CONSTRAINT notifications_only_accounts_untenanted
        CHECK ((organization_id IS NULL) = (kind = 'email_verification')),
    CONSTRAINT notifications_status_known
        CHECK (status IN ('scheduled', 'sending', 'sent', 'cancelled', 'failed')),
    CONSTRAINT notifications_sent_at_a_time CHECK ((status = 'sent') = (sent_at IS NOT NULL))
)
"""

_NOTIFICATIONS_BOOKING = "CREATE INDEX notifications_booking ON notifications (organization_id, booking_id)"

_WEBHOOK_ENDPOINTS = """
CREATE TABLE webhook_endpoints (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    event_types text[] NOT NULL,
    sealed_secret bytea NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    failing_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
)
"""

_WEBHOOK_DELIVERIES = """
CREATE TABLE webhook_deliveries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    body bytea NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    in_flight_since timestamptz,
    next_attempt_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    CONSTRAINT webhook_deliveries_of_endpoint FOREIGN KEY (organization_id, endpoint_id)
        REFERENCES webhook_endpoints (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_deliveries_once UNIQUE (organization_id, endpoint_id, event_id),
    CONSTRAINT webhook_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'failed')),
    CONSTRAINT webhook_deliveries_pending_has_next
        CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
)
"""

_WEBHOOK_DELIVERIES_LOG = """
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (organization_id, endpoint_id, id DESC)
"""

_WEBHOOK_DELIVERIES_IN_FLIGHT = """
CREATE INDEX webhook_deliveries_in_flight ON webhook_deliveries (organization_id, endpoint_id)
    WHERE in_flight_since IS NOT NULL
"""

_WEBHOOK_ATTEMPTS = """
CREATE TABLE webhook_attempts (
    organization_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    attempted_at timestamptz NOT NULL,
    response_status integer NOT NULL,
    error text NOT NULL,
    PRIMARY KEY (organization_id, delivery_id, number),
    CONSTRAINT webhook_attempts_of_delivery FOREIGN KEY (organization_id, delivery_id)
        REFERENCES webhook_deliveries (organization_id, id) ON DELETE CASCADE
)
"""


def upgrade() -> None:
    create_platform_tables("notification")
    for statement in (
        _BOOKING_VERSIONS,
        _NOTIFICATIONS,
        _NOTIFICATIONS_BOOKING,
        _WEBHOOK_ENDPOINTS,
        _WEBHOOK_DELIVERIES,
        _WEBHOOK_DELIVERIES_LOG,
        _WEBHOOK_DELIVERIES_IN_FLIGHT,
        _WEBHOOK_ATTEMPTS,
    ):
        op.execute(statement)
    isolate("notification", *_TABLES)


def downgrade() -> None:
    for table in (
        *_TABLES,
        "idempotency_keys",
        "timers",
        "inbox",
        "relay_confirmations",
        "outbox",
    ):
        op.execute(f"DROP TABLE {table}")
