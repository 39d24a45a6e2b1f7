"""Mails about accounts with the hashes of their links, known devices, and counts of wishes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_TABLES = ("account_mails", "account_links", "known_devices", "wish_counts")


def upgrade() -> None:
    _create_mails()
    op.create_table(
        "known_devices",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="known_devices_of_user", ondelete="CASCADE"),
        sa.CheckConstraint("octet_length(fingerprint) = 32", name="known_devices_hashed"),
    )
    op.create_table(
        "wish_counts",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
    )
    op.create_index("wish_counts_ends_at", "wish_counts", ["ends_at"])
    for table in _TABLES:
        # With a platform policy and no tenant one: a tenant's transaction sees no row.
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY platform ON {table} TO auth_platform USING (true) WITH CHECK (true)")


def downgrade() -> None:
    for table in ("wish_counts", "known_devices", "account_links", "account_mails"):
        op.drop_table(table)


def _create_mails() -> None:
    op.create_table(
        "account_mails",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="account_mails_of_user", ondelete="CASCADE"),
        sa.CheckConstraint("email = lower(email) AND email <> ''", name="account_mails_email_normalised"),
    )
    op.create_index("account_mails_email", "account_mails", ["email", "kind"])
    op.create_index("account_mails_user", "account_mails", ["user_id", "kind"])
    op.create_table(
        "account_links",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("mail_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["account_mails.id"], name="account_links_of_mail", ondelete="CASCADE"
        ),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="account_links_hashed"),
    )
    op.create_index("account_links_mail", "account_links", ["mail_id"])
