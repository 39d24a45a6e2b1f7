"""Users, registrations, organizations, memberships and sessions."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import create_platform_tables, isolate

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_PLATFORM_ONLY = ("users", "registrations", "email_verifications", "log_in_attempts")
_OWN_TABLES = ("sessions", "memberships", "organizations", *reversed(_PLATFORM_ONLY))
_PLATFORM_TABLES = ("idempotency_keys", "timers", "inbox", "relay_confirmations", "outbox")


def upgrade() -> None:
    create_platform_tables("auth")
    _create_people()
    _create_log_in_attempts()
    _create_tenants()
    isolate("auth", "memberships", "sessions")
    _isolate_organizations()
    for table in _PLATFORM_ONLY:
        _close_to_tenants(table)


def downgrade() -> None:
    for table in (*_OWN_TABLES, *_PLATFORM_TABLES):
        op.drop_table(table)


def _create_people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("verified_at", _MOMENT, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.UniqueConstraint("email", name="users_email_taken"),
        sa.CheckConstraint("email = lower(email) AND email <> ''", name="users_email_normalised"),
    )
    op.create_table(
        "registrations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("organization_name", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("mails", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("completed_at", _MOMENT),
        sa.Column("organization_id", sa.Uuid),
        sa.CheckConstraint("email = lower(email) AND email <> ''", name="registrations_email_normalised"),
        sa.CheckConstraint(
            "(completed_at IS NULL) = (organization_id IS NULL)",
            name="registrations_complete_with_organization",
        ),
    )
    op.create_index(
        "registrations_waiting",
        "registrations",
        ["email"],
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_table(
        "email_verifications",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("registration_id", sa.Uuid, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["registration_id"],
            ["registrations.id"],
            name="email_verifications_of_registration",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="email_verifications_hashed"),
    )
    op.create_index("email_verifications_registration", "email_verifications", ["registration_id"])


def _create_log_in_attempts() -> None:
    op.create_table(
        "log_in_attempts",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
    )
    op.create_index("log_in_attempts_since", "log_in_attempts", ["since"])


def _create_tenants() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    )
    op.create_table(
        "memberships",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="memberships_of_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="memberships_of_user", ondelete="CASCADE"),
    )
    op.create_index("memberships_user", "memberships", ["user_id", "created_at"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="sessions_of_membership",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("octet_length(salt) = 32", name="sessions_salted"),
        sa.CheckConstraint("counter >= 0", name="sessions_counter_positive"),
    )
    op.create_index("sessions_membership", "sessions", ["organization_id", "user_id"])


def _isolate_organizations() -> None:
    """As `isolate`, on the id: an organization is its own tenant."""
    own = "id = (SELECT NULLIF(current_setting('app.organization_id', true), '')::uuid)"
    op.execute(f"CREATE POLICY tenant ON organizations USING ({own}) WITH CHECK ({own})")
    _close_to_tenants("organizations")


def _close_to_tenants(table: str) -> None:
    """Row-level security with a platform policy, and no tenant one: a tenant's transaction sees no row."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY platform ON {table} TO auth_platform USING (true) WITH CHECK (true)")
