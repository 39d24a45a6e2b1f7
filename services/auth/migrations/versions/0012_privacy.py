"""Requests about persons, what each service has done for them, and the documents of exports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicekit.migrations import isolate

revision = "0012"
down_revision = "0011"

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")


def upgrade() -> None:
    _create_requests()
    op.create_table(
        "privacy_receipts",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("rows", JSONB, nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(
            ["request_id"], ["privacy_requests.id"], name="privacy_receipts_of_request", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "privacy_parts",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("sealed_document", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["privacy_requests.id"], name="privacy_parts_of_request", ondelete="CASCADE"
        ),
    )
    isolate("auth", "privacy_requests", "privacy_receipts", "privacy_parts")


def downgrade() -> None:
    for table in ("privacy_parts", "privacy_receipts", "privacy_requests"):
        op.drop_table(table)


def _create_requests() -> None:
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("user_id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("subject_hash", sa.LargeBinary, nullable=False),
        sa.Column("sealed_key", sa.LargeBinary),
        sa.Column("sealed_subject", sa.LargeBinary),
        sa.Column("requested_by", sa.Uuid, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("completed_at", _MOMENT),
        sa.Column("overdue_at", _MOMENT),
        sa.Column("kept_until", _MOMENT),
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
        sa.CheckConstraint(
            "status IN ('running', 'completed', 'expired')", name="privacy_requests_status_known"
        ),
        sa.CheckConstraint(
            "(status = 'running') = (completed_at IS NULL)", name="privacy_requests_completed_at_a_time"
        ),
        sa.CheckConstraint(
            "status = 'running' OR sealed_subject IS NULL", name="privacy_requests_end_by_forgetting"
        ),
        sa.CheckConstraint("octet_length(subject_hash) = 32", name="privacy_requests_hashed"),
    )
    op.create_index(
        "privacy_requests_one_running",
        "privacy_requests",
        ["organization_id", "kind", "subject_hash"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("privacy_requests_list", "privacy_requests", ["organization_id", "id"])
    op.create_index(
        "privacy_requests_user",
        "privacy_requests",
        ["user_id", "id"],
        postgresql_where=sa.text("user_id IS NOT NULL"),
    )
