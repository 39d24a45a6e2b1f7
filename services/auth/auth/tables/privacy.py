"""Requests about persons, what each service has done for them, and the documents of exports."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from auth.tables.schema import METADATA, MOMENT, NOW

# organization_id is null for requests about accounts, and only for them: those rows satisfy no tenant's
# policy, so that only a platform transaction reads or writes them. Here and below.
PRIVACY_REQUESTS = sa.Table(
    "privacy_requests",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid),
    # Without a reference: the request outlives the account.
    sa.Column("user_id", sa.Uuid),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    # A keyed hash, by which the same wish of the same person is recognised.
    sa.Column("subject_hash", sa.LargeBinary, nullable=False),
    # The request's own key, sealed. Without it, nothing else that is sealed here can be read.
    sa.Column("sealed_key", sa.LargeBinary),
    sa.Column("sealed_subject", sa.LargeBinary),
    sa.Column("requested_by", sa.Uuid, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("due_at", MOMENT, nullable=False),
    sa.Column("completed_at", MOMENT),
    sa.Column("overdue_at", MOMENT),
    sa.Column("kept_until", MOMENT),
    sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organizations.id"],
        name="privacy_requests_of_organization",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint(
        "(organization_id IS NULL) = (user_id IS NOT NULL)", name="privacy_requests_of_guest_or_account"
    ),
    sa.CheckConstraint("kind IN ('export', 'erase')", name="privacy_requests_kind_known"),
    sa.CheckConstraint("status IN ('running', 'completed', 'expired')", name="privacy_requests_status_known"),
    sa.CheckConstraint(
        "(status = 'running') = (completed_at IS NULL)", name="privacy_requests_completed_at_a_time"
    ),
    # Whom it was about is forgotten when it ends.
    sa.CheckConstraint(
        "status = 'running' OR sealed_subject IS NULL", name="privacy_requests_end_by_forgetting"
    ),
    sa.CheckConstraint("octet_length(subject_hash) = 32", name="privacy_requests_hashed"),
)
# One that runs for each person and wish.
sa.Index(
    "privacy_requests_one_running",
    PRIVACY_REQUESTS.c.organization_id,
    PRIVACY_REQUESTS.c.kind,
    PRIVACY_REQUESTS.c.subject_hash,
    unique=True,
    postgresql_where=sa.text("status = 'running'"),
    postgresql_nulls_not_distinct=True,
)
# The list of an organization, and of a person, the newest first.
sa.Index("privacy_requests_list", PRIVACY_REQUESTS.c.organization_id, PRIVACY_REQUESTS.c.id)
sa.Index(
    "privacy_requests_user",
    PRIVACY_REQUESTS.c.user_id,
    PRIVACY_REQUESTS.c.id,
    postgresql_where=PRIVACY_REQUESTS.c.user_id.is_not(None),
)

PRIVACY_RECEIPTS = sa.Table(
    "privacy_receipts",
    METADATA,
    sa.Column("request_id", sa.Uuid, primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("organization_id", sa.Uuid),
    # Table to number of rows.
    sa.Column("rows", JSONB, nullable=False),
    sa.Column("received_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["request_id"], ["privacy_requests.id"], name="privacy_receipts_of_request", ondelete="CASCADE"
    ),
)

# Keyed hashes of the addresses and numbers that a running request, or a kept export, names or holds.
PRIVACY_IDENTIFIERS = sa.Table(
    "privacy_identifiers",
    METADATA,
    sa.Column("request_id", sa.Uuid, primary_key=True),
    sa.Column("identifier_hash", sa.LargeBinary, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.ForeignKeyConstraint(
        ["request_id"], ["privacy_requests.id"], name="privacy_identifiers_of_request", ondelete="CASCADE"
    ),
    sa.CheckConstraint("octet_length(identifier_hash) = 32", name="privacy_identifiers_hashed"),
)
# An erasure looks for exports that share one.
sa.Index(
    "privacy_identifiers_shared", PRIVACY_IDENTIFIERS.c.organization_id, PRIVACY_IDENTIFIERS.c.identifier_hash
)

# What each service keeps of a person, sealed with the request's key. Goes after seven days.
PRIVACY_PARTS = sa.Table(
    "privacy_parts",
    METADATA,
    sa.Column("request_id", sa.Uuid, primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("organization_id", sa.Uuid),
    sa.Column("sealed_document", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(
        ["request_id"], ["privacy_requests.id"], name="privacy_parts_of_request", ondelete="CASCADE"
    ),
)
