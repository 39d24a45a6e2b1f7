"""Whom organizations have removed; and by what else the exports of a person are known."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import isolate

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "removals",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="removals_of_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="removals_of_user", ondelete="CASCADE"),
    )
    op.create_index("removals_user", "removals", ["user_id"])
    op.create_table(
        "privacy_identifiers",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("identifier_hash", sa.LargeBinary, primary_key=True),
        sa.Column("organization_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["privacy_requests.id"], name="privacy_identifiers_of_request", ondelete="CASCADE"
        ),
        sa.CheckConstraint("octet_length(identifier_hash) = 32", name="privacy_identifiers_hashed"),
    )
    op.create_index(
        "privacy_identifiers_shared", "privacy_identifiers", ["organization_id", "identifier_hash"]
    )
    isolate("auth", "removals", "privacy_identifiers")


def downgrade() -> None:
    op.drop_table("privacy_identifiers")
    op.drop_table("removals")
