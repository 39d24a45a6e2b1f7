"""What is kept of a deposit because its guest did not come."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE payments ADD COLUMN no_show_fee BIGINT,"
        " ADD CONSTRAINT payments_fee_at_most_paid CHECK (no_show_fee BETWEEN 0 AND amount) NOT VALID"
    )
    op.execute("ALTER TABLE payments VALIDATE CONSTRAINT payments_fee_at_most_paid")


def downgrade() -> None:
    op.drop_column("payments", "no_show_fee")
