"""The audit log, which only grows: the roles that serve may not change an entry, and a trigger refuses."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from auth.tables.schema import METADATA, MOMENT

# Without a reference to organizations: the log outlives what it speaks of, and the platform has a chain too.
AUDIT_ENTRIES = sa.Table(
    "audit_entries",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("at", MOMENT, nullable=False),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Uuid),
    sa.Column("on_behalf_of", sa.Uuid),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("before", JSONB(none_as_null=True)),
    sa.Column("after", JSONB(none_as_null=True)),
    sa.Column("previous_hash", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("organization_id", "id", name="audit_entries_id"),
    sa.CheckConstraint(
        "octet_length(previous_hash) = 32 AND octet_length(hash) = 32", name="audit_entries_hashed"
    ),
)

# How far each chain goes. Writing to a chain locks its row.
AUDIT_HEADS = sa.Table(
    "audit_heads",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("octet_length(hash) = 32", name="audit_heads_hashed"),
)
