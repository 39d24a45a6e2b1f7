"""Which addresses accounts had before; and by which provider whoever waits has come."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "former_addresses",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("address_hash", sa.LargeBinary, primary_key=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="former_addresses_of_user", ondelete="CASCADE"
        ),
        sa.CheckConstraint("octet_length(address_hash) = 32", name="former_addresses_hashed"),
    )
    # With a platform policy and no tenant one: a tenant's transaction sees no row.
    op.execute("ALTER TABLE former_addresses ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE former_addresses FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY platform ON former_addresses TO auth_platform USING (true) WITH CHECK (true)")
    # Those that wait meanwhile say none, and are over within minutes.
    for table in ("sso_arrivals", "challenges"):
        op.add_column(table, sa.Column("provider", sa.Text))


def downgrade() -> None:
    for table in ("challenges", "sso_arrivals"):
        op.drop_column(table, "provider")
    op.drop_table("former_addresses")
