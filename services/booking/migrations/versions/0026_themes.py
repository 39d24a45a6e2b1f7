"""How organizations look, copied from auth's events."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import isolate

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "themes",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("name", "logo_url", "background", "text", "accent")
        ),
    )
    isolate("booking", "themes")


def downgrade() -> None:
    op.drop_table("themes")
