"""What an organization's provider manages by SCIM: its token, people, groups, and who is in which."""

import sqlalchemy as sa

from auth.tables.schema import METADATA, MOMENT

_OF_CONNECTION = ("connections.organization_id", "connections.id")

# One a connection; no secret of it, only keyed hashes.
SCIM_TOKENS = sa.Table(
    "scim_tokens",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("connection_id", sa.Uuid, primary_key=True),
    sa.Column("short_id", sa.Text, nullable=False),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    # Without a reference: people leave, the token stays their organization's.
    sa.Column("created_by", sa.Uuid),
    sa.Column("previous_hash", sa.LargeBinary),
    sa.Column("previous_until", MOMENT),
    sa.Column("last_used_at", MOMENT),
    sa.ForeignKeyConstraint(
        ["organization_id", "connection_id"],
        _OF_CONNECTION,
        name="scim_tokens_of_connection",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint(
        "octet_length(secret_hash) = 32 AND octet_length(previous_hash) = 32", name="scim_tokens_hashed"
    ),
    sa.CheckConstraint(
        "(previous_hash IS NULL) = (previous_until IS NULL)", name="scim_tokens_previous_holds_until"
    ),
)
# Whoever presents a token tells its short id, and nothing else is known yet.
sa.Index("scim_tokens_short_id", SCIM_TOKENS.c.short_id, unique=True)

# Their names and addresses are those of their accounts; whether they are active is whether they are members.
SCIM_USERS = sa.Table(
    "scim_users",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("connection_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("external_id", sa.Text),
    sa.Column("granted_role", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("changed_at", MOMENT, nullable=False),
    # Those that their membership was limited to when it ended the last time; empty for all.
    sa.Column("venues", sa.ARRAY(sa.Uuid), nullable=False, server_default="{}"),
    sa.ForeignKeyConstraint(
        ["organization_id", "connection_id"],
        _OF_CONNECTION,
        name="scim_users_of_connection",
        ondelete="CASCADE",
    ),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="scim_users_of_user", ondelete="CASCADE"),
    # One connection manages a person; and log-ins look for it.
    sa.UniqueConstraint("organization_id", "user_id", name="scim_users_managed_once"),
)
# Deleting an account looks for them.
sa.Index("scim_users_user", SCIM_USERS.c.user_id)

SCIM_GROUPS = sa.Table(
    "scim_groups",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("connection_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("changed_at", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id", "connection_id"],
        _OF_CONNECTION,
        name="scim_groups_of_connection",
        ondelete="CASCADE",
    ),
)
# One group a name: a provider that tries again makes no second one.
sa.Index(
    "scim_groups_name_taken",
    SCIM_GROUPS.c.organization_id,
    SCIM_GROUPS.c.connection_id,
    sa.func.lower(SCIM_GROUPS.c.display_name),
    unique=True,
)

SCIM_GROUP_MEMBERS = sa.Table(
    "scim_group_members",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("connection_id", sa.Uuid, primary_key=True),
    sa.Column("group_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.ForeignKeyConstraint(
        ["organization_id", "connection_id", "group_id"],
        ["scim_groups.organization_id", "scim_groups.connection_id", "scim_groups.id"],
        name="scim_group_members_of_group",
        ondelete="CASCADE",
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "connection_id", "member_id"],
        ["scim_users.organization_id", "scim_users.connection_id", "scim_users.id"],
        name="scim_group_members_known",
        ondelete="CASCADE",
    ),
)
# The groups of a person, and whoever goes leaves them.
sa.Index(
    "scim_group_members_member",
    SCIM_GROUP_MEMBERS.c.organization_id,
    SCIM_GROUP_MEMBERS.c.connection_id,
    SCIM_GROUP_MEMBERS.c.member_id,
)
