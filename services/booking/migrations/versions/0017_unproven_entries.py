"""Entries made with an address that waits already, without proof that it is theirs: offered nothing."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("ALTER TABLE waitlist_entries ADD COLUMN unproven BOOLEAN NOT NULL DEFAULT false")


def downgrade() -> None:
    op.execute("DELETE FROM waitlist_tokens USING waitlist_entries e WHERE e.id = entry_id AND e.unproven")
    op.execute("DELETE FROM waitlist_entries WHERE unproven")
    op.drop_column("waitlist_entries", "unproven")
