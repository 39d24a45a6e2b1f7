"""Connections to OpenID providers, identities, and log-ins that are under way."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from servicekit.migrations import isolate

revision = "0009"
down_revision = "0008"

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_PEOPLE = ("identities", "sso_attempts", "sso_arrivals")


def upgrade() -> None:
    _create_connections()
    _create_identities()
    _create_log_ins()
    isolate("auth", "connections", "connection_domains")
    for table in _PEOPLE:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY platform ON {table} TO auth_platform USING (true) WITH CHECK (true)")


def downgrade() -> None:
    for table in (*reversed(_PEOPLE), "connection_domains", "connections"):
        op.drop_table(table)


def _create_connections() -> None:
    op.create_table(
        "connections",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
        sa.Column("default_role", sa.Text, nullable=False),
        sa.Column("role_claim", sa.Text, nullable=False),
        sa.Column("role_mappings", JSONB, nullable=False),
        sa.Column("required", sa.Boolean, nullable=False),
        sa.Column("provides_second_factor", sa.Boolean, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="connections_of_organization", ondelete="CASCADE"
        ),
    )
    op.create_index("connections_id", "connections", ["id"], unique=True)
    op.create_table(
        "connection_domains",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("domain", sa.Text, primary_key=True),
        sa.Column("connection_id", sa.Uuid, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("verified_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"],
            ["connections.organization_id", "connections.id"],
            name="connection_domains_of_connection",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "connection_domains_verified",
        "connection_domains",
        ["domain"],
        unique=True,
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.create_index(
        "connection_domains_connection", "connection_domains", ["organization_id", "connection_id"]
    )


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("realm", sa.Uuid, primary_key=True),
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="identities_of_user", ondelete="CASCADE"),
    )
    op.create_index("identities_user", "identities", ["user_id"])


def _create_log_ins() -> None:
    op.create_table(
        "sso_attempts",
        sa.Column("state_hash", sa.LargeBinary, primary_key=True),
        sa.Column("browser_hash", sa.LargeBinary, nullable=False),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("sealed_verifier", sa.LargeBinary, nullable=False),
        sa.Column("challenge", sa.Text, nullable=False),
        sa.Column("return_to", sa.Text, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.CheckConstraint(
            "octet_length(state_hash) = 32 AND octet_length(browser_hash) = 32", name="sso_attempts_hashed"
        ),
    )
    op.create_index("sso_attempts_expires_at", "sso_attempts", ["expires_at"])
    op.create_table(
        "sso_arrivals",
        sa.Column("code_hash", sa.LargeBinary, primary_key=True),
        sa.Column("connection", sa.Text, nullable=False),
        sa.Column("challenge", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("groups", ARRAY(sa.Text), nullable=False),
        sa.Column("second_factor", sa.Boolean, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.CheckConstraint("octet_length(code_hash) = 32", name="sso_arrivals_hashed"),
    )
    op.create_index("sso_arrivals_expires_at", "sso_arrivals", ["expires_at"])
