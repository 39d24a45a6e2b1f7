"""What an organization is in browsers: origins that may call for it, its own domains, its look."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import isolate

revision = "0023"
down_revision = "0022"

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_TABLES = ("origins", "web_domains", "themes", "site_changes")


def upgrade() -> None:
    op.create_table(
        "origins",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        _of_organization("origins"),
        sa.UniqueConstraint("organization_id", "origin", name="origins_once"),
        sa.CheckConstraint("origin = lower(origin)", name="origins_normalised"),
    )
    op.create_table(
        "web_domains",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("verified_at", _MOMENT),
        sa.Column("missing_since", _MOMENT),
        sa.Column("missed", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        _of_organization("web_domains"),
        sa.UniqueConstraint("organization_id", "domain", name="web_domains_once"),
        sa.CheckConstraint(
            "(missed = 0) = (missing_since IS NULL) AND (missing_since IS NULL OR verified_at IS NOT NULL)",
            name="web_domains_missed_while_verified",
        ),
    )
    op.create_index(
        "web_domains_verified",
        "web_domains",
        ["domain"],
        unique=True,
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )
    op.create_table(
        "themes",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("name", "logo_url", "background", "text", "accent")
        ),
        _of_organization("themes"),
    )
    op.create_table(
        "site_changes",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("changed_at", _MOMENT, nullable=False),
        _of_organization("site_changes"),
    )
    op.create_index("site_changes_changed_at", "site_changes", ["changed_at"])
    isolate("auth", *_TABLES)


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _of_organization(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name=f"{table}_of_organization", ondelete="CASCADE"
    )
