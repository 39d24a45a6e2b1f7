"""Mails about accounts have more than one kind. None of them belongs to a tenant."""

from alembic import op

revision = "0003"
down_revision = "0002"

_NAME = "notifications_only_accounts_untenanted"


def upgrade() -> None:
    op.drop_constraint(_NAME, "notifications")
    op.create_check_constraint(
        _NAME, "notifications", "(organization_id IS NULL) = (kind IN ('email_verification', 'account'))"
    )


def downgrade() -> None:
    op.drop_constraint(_NAME, "notifications")
    op.create_check_constraint(
        _NAME, "notifications", "(organization_id IS NULL) = (kind = 'email_verification')"
    )
