"""API keys: no secret of one, only keyed hashes, and what each may do."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from auth.tables.schema import METADATA, MOMENT

API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    # The organization itself, or its sandbox: whose rows its calls see.
    sa.Column("acts_in", sa.Uuid, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("permissions", ARRAY(sa.Text), nullable=False),
    sa.Column("sandbox", sa.Boolean, nullable=False),
    sa.Column("venues", ARRAY(sa.Uuid), nullable=False),
    sa.Column("networks", ARRAY(sa.Text), nullable=False),
    sa.Column("daily_quota", sa.Integer),
    sa.Column("rate_class", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT),
    sa.Column("short_id", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    # Without a reference: people leave, the keys that they made stay their organization's.
    sa.Column("created_by", sa.Uuid, nullable=False),
    sa.Column("previous_hash", sa.LargeBinary),
    sa.Column("previous_until", MOMENT),
    sa.Column("revoked_at", MOMENT),
    sa.Column("revoke_reason", sa.Text),
    sa.Column("last_used_at", MOMENT),
    sa.Column("pinned_version", sa.Text),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="api_keys_of_organization", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["acts_in"], ["organizations.id"], name="api_keys_act_in", ondelete="CASCADE"),
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
    sa.CheckConstraint("pinned_version ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'", name="api_keys_pinned_to_a_date"),
)
# Whoever presents a key tells its short id, and nothing else is known yet.
sa.Index("api_keys_short_id", API_KEYS.c.short_id, unique=True)
# A sandbox that goes takes its keys along.
sa.Index("api_keys_acting_in", API_KEYS.c.acts_in)
