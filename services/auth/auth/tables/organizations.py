"""The tenants themselves, and who belongs to them."""

import sqlalchemy as sa

from auth.tables.schema import METADATA, MOMENT, NOW

# The tenant itself: its id plays the part that organization_id plays elsewhere, in the policy too.
ORGANIZATIONS = sa.Table(
    "organizations",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
)

MEMBERSHIPS = sa.Table(
    "memberships",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="memberships_of_organization", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="memberships_of_user", ondelete="CASCADE"),
)
# Logging in looks for the organizations of a person.
sa.Index("memberships_user", MEMBERSHIPS.c.user_id, MEMBERSHIPS.c.created_at)
