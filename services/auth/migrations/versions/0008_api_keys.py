"""API keys, and the sandboxes that test keys act in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from servicekit.migrations import isolate

revision = "0008"
down_revision = "0007"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("organizations", sa.Column("sandbox_of", sa.Uuid))
    op.create_foreign_key(
        "organizations_sandbox_of",
        "organizations",
        "organizations",
        ["sandbox_of"],
        ["id"],
        ondelete="CASCADE",
        postgresql_not_valid=True,
    )
    op.execute("ALTER TABLE organizations VALIDATE CONSTRAINT organizations_sandbox_of")
    op.create_index("organizations_one_sandbox", "organizations", ["sandbox_of"], unique=True)
    _create_keys()
    isolate("auth", "api_keys")


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_column("organizations", "sandbox_of")


def _create_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("acts_in", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("permissions", ARRAY(sa.Text), nullable=False),
        sa.Column("sandbox", sa.Boolean, nullable=False),
        sa.Column("venues", ARRAY(sa.Uuid), nullable=False),
        sa.Column("networks", ARRAY(sa.Text), nullable=False),
        sa.Column("daily_quota", sa.Integer),
        sa.Column("rate_class", sa.Text, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.Column("short_id", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.Uuid, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary),
        sa.Column("previous_until", _MOMENT),
        sa.Column("revoked_at", _MOMENT),
        sa.Column("revoke_reason", sa.Text),
        sa.Column("last_used_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="api_keys_of_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["acts_in"], ["organizations.id"], name="api_keys_act_in", ondelete="CASCADE"
        ),
        sa.CheckConstraint("sandbox = (acts_in <> organization_id)", name="api_keys_sandbox_elsewhere"),
        sa.CheckConstraint(
            "octet_length(secret_hash) = 32 AND octet_length(previous_hash) = 32", name="api_keys_hashed"
        ),
        sa.CheckConstraint(
            "(previous_hash IS NULL) = (previous_until IS NULL)", name="api_keys_previous_holds_until"
        ),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoke_reason IS NULL)", name="api_keys_revoked_for_a_reason"
        ),
        sa.CheckConstraint("daily_quota > 0", name="api_keys_quota_positive"),
    )
    op.create_index("api_keys_short_id", "api_keys", ["short_id"], unique=True)
    op.create_index("api_keys_acting_in", "api_keys", ["acts_in"])
