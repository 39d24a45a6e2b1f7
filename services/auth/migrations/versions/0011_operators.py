"""Operators of the platform, and their access to organizations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from servicekit.migrations import isolate

revision = "0011"
down_revision = "0010"

_MOMENT = sa.DateTime(timezone=True)
_PLATFORM_ONLY = (
    "operators",
    "operator_secrets",
    "operator_totps",
    "operator_recovery_codes",
    "operator_sessions",
)


def upgrade() -> None:
    _create_operators()
    _create_factors()
    _create_sessions()
    _create_accesses()
    op.add_column("account_mails", sa.Column("access_id", sa.Uuid))
    isolate("auth", "operator_accesses")
    for table in _PLATFORM_ONLY:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY platform ON {table} TO auth_platform USING (true) WITH CHECK (true)")


def downgrade() -> None:
    op.drop_column("account_mails", "access_id")
    for table in ("operator_accesses", *reversed(_PLATFORM_ONLY)):
        op.drop_table(table)


def _of_operator(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["operator_id"], ["operators.id"], name=f"{table}_of_operator", ondelete="CASCADE"
    )


def _create_operators() -> None:
    op.create_table(
        "operators",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("enrolled_at", _MOMENT),
        sa.Column("disabled_at", _MOMENT),
        sa.Column("failed_at", ARRAY(_MOMENT), nullable=False, server_default="{}"),
        sa.UniqueConstraint("email", name="operators_email_taken"),
        sa.CheckConstraint("email = lower(email) AND email <> ''", name="operators_email_normalised"),
        sa.CheckConstraint("role IN ('support', 'admin')", name="operators_role_known"),
        sa.CheckConstraint(
            "(enrolled_at IS NULL) = (password_hash = '')", name="operators_enrolled_with_password"
        ),
    )
    op.create_table(
        "operator_secrets",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("operator_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        _of_operator("operator_secrets"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="operator_secrets_hashed"),
    )
    op.create_index("operator_secrets_operator", "operator_secrets", ["operator_id"])


def _create_factors() -> None:
    op.create_table(
        "operator_totps",
        sa.Column("operator_id", sa.Uuid, primary_key=True),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
        sa.Column("begun_at", _MOMENT, nullable=False),
        sa.Column("confirmed_at", _MOMENT),
        sa.Column("last_counter", sa.BigInteger, nullable=False),
        _of_operator("operator_totps"),
    )
    op.create_table(
        "operator_recovery_codes",
        sa.Column("operator_id", sa.Uuid, primary_key=True),
        sa.Column("code_hash", sa.LargeBinary, primary_key=True),
        sa.Column("used_at", _MOMENT),
        _of_operator("operator_recovery_codes"),
        sa.CheckConstraint("octet_length(code_hash) = 32", name="operator_recovery_codes_hashed"),
    )


def _create_sessions() -> None:
    op.create_table(
        "operator_sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("operator_id", sa.Uuid, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("methods", ARRAY(sa.Text), nullable=False),
        sa.Column("authenticated_at", _MOMENT, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.Column("end_reason", sa.Text),
        _of_operator("operator_sessions"),
        sa.CheckConstraint("octet_length(salt) = 32", name="operator_sessions_salted"),
        sa.CheckConstraint("counter >= 0", name="operator_sessions_counter_positive"),
    )
    op.create_index(
        "operator_sessions_operator",
        "operator_sessions",
        ["operator_id", "id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _create_accesses() -> None:
    op.create_table(
        "operator_accesses",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("operator_id", sa.Uuid, nullable=False),
        sa.Column("operator_name", sa.Text, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ticket", sa.Text, nullable=False),
        sa.Column("write", sa.Boolean, nullable=False),
        sa.Column("began_at", _MOMENT, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.Column("end_reason", sa.Text),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="operator_accesses_of_organization",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "ends_at > began_at AND ends_at <= began_at + interval '1 hour'", name="operator_accesses_short"
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (end_reason IS NULL)", name="operator_accesses_ended_for_a_reason"
        ),
    )
    op.create_index("operator_accesses_id", "operator_accesses", ["id"], unique=True)
    op.create_index(
        "operator_accesses_session",
        "operator_accesses",
        ["session_id"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
