"""Plans, an organization's own roles, members limited to venues, and invitations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from servicekit.migrations import isolate

revision = "0007"
down_revision = "0006"

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")
_CUSTOM = "(role = 'custom') = (role_id IS NOT NULL)"


def upgrade() -> None:
    op.add_column("organizations", sa.Column("plan", sa.Text, nullable=False, server_default="free"))
    _create_roles()
    _widen_memberships()
    _create_invitations()
    isolate("auth", "roles", "invitations", "invitation_links")


def downgrade() -> None:
    op.drop_table("invitation_links")
    op.drop_table("invitations")
    op.drop_index("memberships_listed", "memberships")
    op.drop_constraint("memberships_custom_role", "memberships")
    for column in ("venues", "role_id"):
        op.drop_column("memberships", column)
    op.drop_table("roles")
    op.drop_column("organizations", "plan")


def _create_roles() -> None:
    op.create_table(
        "roles",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("permissions", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="roles_of_organization", ondelete="CASCADE"
        ),
    )
    op.create_index("roles_name_taken", "roles", ["organization_id", sa.text("lower(name)")], unique=True)


def _widen_memberships() -> None:
    op.add_column("memberships", sa.Column("role_id", sa.Uuid))
    op.add_column("memberships", sa.Column("venues", ARRAY(sa.Uuid), nullable=False, server_default="{}"))
    op.create_foreign_key(
        "memberships_of_role",
        "memberships",
        "roles",
        ["organization_id", "role_id"],
        ["organization_id", "id"],
        postgresql_not_valid=True,
    )
    op.create_check_constraint("memberships_custom_role", "memberships", _CUSTOM, postgresql_not_valid=True)
    op.execute("ALTER TABLE memberships VALIDATE CONSTRAINT memberships_of_role")
    op.execute("ALTER TABLE memberships VALIDATE CONSTRAINT memberships_custom_role")
    op.create_index("memberships_listed", "memberships", ["organization_id", "created_at", "user_id"])
    op.create_index(
        "memberships_role",
        "memberships",
        ["organization_id", "role_id"],
        postgresql_where=sa.text("role_id IS NOT NULL"),
    )


def _create_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("role_id", sa.Uuid),
        sa.Column("venues", ARRAY(sa.Uuid), nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("invited_by", sa.Uuid),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("mails", sa.SmallInteger, nullable=False),
        sa.Column("accepted_at", _MOMENT),
        sa.Column("accepted_by", sa.Uuid),
        sa.Column("revoked_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="invitations_of_organization", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "role_id"], ["roles.organization_id", "roles.id"], name="invitations_of_role"
        ),
        sa.CheckConstraint(_CUSTOM, name="invitations_custom_role"),
        sa.CheckConstraint("email = lower(email) AND email <> ''", name="invitations_email_normalised"),
        sa.CheckConstraint(
            "(accepted_at IS NULL) = (accepted_by IS NULL)", name="invitations_accepted_by_somebody"
        ),
    )
    op.create_index(
        "invitations_one_open",
        "invitations",
        ["organization_id", "email"],
        unique=True,
        postgresql_where=sa.text("accepted_at IS NULL AND revoked_at IS NULL"),
    )
    op.create_index("invitations_id", "invitations", ["id"], unique=True)
    op.create_index(
        "invitations_role",
        "invitations",
        ["organization_id", "role_id"],
        postgresql_where=sa.text("role_id IS NOT NULL"),
    )
    op.create_table(
        "invitation_links",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("organization_id", sa.Uuid, nullable=False),
        sa.Column("invitation_id", sa.Uuid, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.ForeignKeyConstraint(
            ["organization_id", "invitation_id"],
            ["invitations.organization_id", "invitations.id"],
            name="invitation_links_of_invitation",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="invitation_links_hashed"),
    )
    op.create_index("invitation_links_invitation", "invitation_links", ["organization_id", "invitation_id"])
