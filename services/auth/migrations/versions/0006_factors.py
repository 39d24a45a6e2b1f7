"""Second factors, challenges that wait for one, and remembered devices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"

_MOMENT = sa.DateTime(timezone=True)
_TABLES = (
    "totp_factors",
    "recovery_codes",
    "passkeys",
    "challenges",
    "factor_attempts",
    "remembered_devices",
)


def upgrade() -> None:
    _create_factors()
    _create_second_steps()
    for table in _TABLES:
        # With a platform policy and no tenant one: a tenant's transaction sees no row.
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY platform ON {table} TO auth_platform USING (true) WITH CHECK (true)")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"{table}_of_user", ondelete="CASCADE")


def _create_factors() -> None:
    op.create_table(
        "totp_factors",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
        sa.Column("begun_at", _MOMENT, nullable=False),
        sa.Column("confirmed_at", _MOMENT),
        sa.Column("last_counter", sa.BigInteger, nullable=False),
        _of_user("totp_factors"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("code_hash", sa.LargeBinary, primary_key=True),
        sa.Column("used_at", _MOMENT),
        _of_user("recovery_codes"),
        sa.CheckConstraint("octet_length(code_hash) = 32", name="recovery_codes_hashed"),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("transports", ARRAY(sa.Text), nullable=False),
        sa.Column("backup_eligible", sa.Boolean, nullable=False),
        sa.Column("backed_up", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT),
        sa.UniqueConstraint("credential_id", name="passkeys_credential_taken"),
        _of_user("passkeys"),
    )
    op.create_index("passkeys_user", "passkeys", ["user_id", "id"])


def _create_second_steps() -> None:
    op.create_table(
        "challenges",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("methods", ARRAY(sa.Text), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        _of_user("challenges"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="challenges_hashed"),
    )
    op.create_index("challenges_expires_at", "challenges", ["expires_at"])
    op.create_index("challenges_user", "challenges", ["user_id"])
    op.create_table(
        "factor_attempts",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("failed_at", ARRAY(_MOMENT), nullable=False, server_default="{}"),
        _of_user("factor_attempts"),
    )
    op.create_table(
        "remembered_devices",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("token_hash", name="remembered_devices_hashed_token"),
        _of_user("remembered_devices"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="remembered_devices_hashed"),
    )
    op.create_index("remembered_devices_user", "remembered_devices", ["user_id", "id"])
