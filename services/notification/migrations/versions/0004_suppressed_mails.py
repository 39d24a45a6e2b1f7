"""Mails of a sandbox are kept and never sent."""

from alembic import op

revision = "0004"
down_revision = "0003"

_NAME = "notifications_status_known"
_BEFORE = "'scheduled', 'sending', 'sent', 'cancelled', 'failed'"


def upgrade() -> None:
    op.drop_constraint(_NAME, "notifications")
    _create(f"{_BEFORE}, 'suppressed'")


def downgrade() -> None:
    op.execute("UPDATE notifications SET status = 'cancelled' WHERE status = 'suppressed'")
    op.drop_constraint(_NAME, "notifications")
    _create(_BEFORE)


def _create(statuses: str) -> None:
    op.create_check_constraint(_NAME, "notifications", f"status IN ({statuses})", postgresql_not_valid=True)
    op.execute(f"ALTER TABLE notifications VALIDATE CONSTRAINT {_NAME}")
