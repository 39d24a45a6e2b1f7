"""The tenants themselves, who belongs to them, with what role, and who is invited."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from auth.tables.schema import METADATA, MOMENT, NOW

# The tenant itself: its id plays the part that organization_id plays elsewhere, in the policy too.
ORGANIZATIONS = sa.Table(
    "organizations",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False, server_default="free"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    # The organization whose test keys act in this one, which is nobody's but theirs.
    sa.Column("sandbox_of", sa.Uuid),
    sa.ForeignKeyConstraint(
        ["sandbox_of"], ["organizations.id"], name="organizations_sandbox_of", ondelete="CASCADE"
    ),
)
# One sandbox an organization.
sa.Index("organizations_one_sandbox", ORGANIZATIONS.c.sandbox_of, unique=True)

# The roles that an organization made itself. The built-in ones are in the code.
ROLES = sa.Table(
    "roles",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("permissions", ARRAY(sa.Text), nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="roles_of_organization", ondelete="CASCADE"
    ),
)
# One role a name, and listing by name.
sa.Index("roles_name_taken", ROLES.c.organization_id, sa.func.lower(ROLES.c.name), unique=True)

MEMBERSHIPS = sa.Table(
    "memberships",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
    # A built-in role, or "custom" for the one that role_id names.
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("role_id", sa.Uuid),
    # None: all of the organization. They are booking's, which alone knows them.
    sa.Column("venues", ARRAY(sa.Uuid), nullable=False, server_default="{}"),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    # Nobody switches in with credentials that were given before: the organization ended their sessions then.
    sa.Column("sessions_ended_at", MOMENT),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="memberships_of_organization", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="memberships_of_user", ondelete="CASCADE"),
    sa.ForeignKeyConstraint(
        ["organization_id", "role_id"], ["roles.organization_id", "roles.id"], name="memberships_of_role"
    ),
    sa.CheckConstraint("(role = 'custom') = (role_id IS NOT NULL)", name="memberships_custom_role"),
)
# Logging in looks for the organizations of a person.
sa.Index("memberships_user", MEMBERSHIPS.c.user_id, MEMBERSHIPS.c.created_at)
# Listing members, the oldest first.
sa.Index("memberships_listed", MEMBERSHIPS.c.organization_id, MEMBERSHIPS.c.created_at, MEMBERSHIPS.c.user_id)
# Deleting a role looks for who has it.
sa.Index(
    "memberships_role",
    MEMBERSHIPS.c.organization_id,
    MEMBERSHIPS.c.role_id,
    postgresql_where=MEMBERSHIPS.c.role_id.is_not(None),
)

# Whom an organization has removed, until they are a member again: logging in by a connection makes them none.
REMOVALS = sa.Table(
    "removals",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("removed_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="removals_of_organization", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="removals_of_user", ondelete="CASCADE"),
)
# Deleting an account looks for them.
sa.Index("removals_user", REMOVALS.c.user_id)

INVITATIONS = sa.Table(
    "invitations",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("role_id", sa.Uuid),
    sa.Column("venues", ARRAY(sa.Uuid), nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    # Without a reference: people leave, and their names go with them.
    sa.Column("invited_by", sa.Uuid),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("mails", sa.SmallInteger, nullable=False),
    sa.Column("accepted_at", MOMENT),
    sa.Column("accepted_by", sa.Uuid),
    sa.Column("revoked_at", MOMENT),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="invitations_of_organization", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "role_id"], ["roles.organization_id", "roles.id"], name="invitations_of_role"
    ),
    sa.CheckConstraint("(role = 'custom') = (role_id IS NOT NULL)", name="invitations_custom_role"),
    sa.CheckConstraint("email = lower(email) AND email <> ''", name="invitations_email_normalised"),
    sa.CheckConstraint(
        "(accepted_at IS NULL) = (accepted_by IS NULL)", name="invitations_accepted_by_somebody"
    ),
)
# One open invitation an address; what expired is withdrawn before another one is written.
sa.Index(
    "invitations_one_open",
    INVITATIONS.c.organization_id,
    INVITATIONS.c.email,
    unique=True,
    postgresql_where=sa.and_(INVITATIONS.c.accepted_at.is_(None), INVITATIONS.c.revoked_at.is_(None)),
)
# Issuing a secret, and forgetting: both know the id alone.
sa.Index("invitations_id", INVITATIONS.c.id, unique=True)
# Deleting a role looks for who is offered it.
sa.Index(
    "invitations_role",
    INVITATIONS.c.organization_id,
    INVITATIONS.c.role_id,
    postgresql_where=INVITATIONS.c.role_id.is_not(None),
)

# The hashes of the secrets of an invitation's links: each mail has one of its own, and all hold.
INVITATION_LINKS = sa.Table(
    "invitation_links",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("invitation_id", sa.Uuid, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id", "invitation_id"],
        ["invitations.organization_id", "invitations.id"],
        name="invitation_links_of_invitation",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="invitation_links_hashed"),
)
# Forgetting an invitation looks for its links.
sa.Index("invitation_links_invitation", INVITATION_LINKS.c.organization_id, INVITATION_LINKS.c.invitation_id)
