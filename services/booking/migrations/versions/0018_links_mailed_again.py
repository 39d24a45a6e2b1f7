"""When the link of an entry was last mailed because somebody else joined with its address."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER TABLE waitlist_entries ADD COLUMN link_mailed_at TIMESTAMPTZ")


def downgrade() -> None:
    op.drop_column("waitlist_entries", "link_mailed_at")
