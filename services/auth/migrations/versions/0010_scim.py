"""What organizations' providers manage by SCIM: tokens, people, groups."""

import sqlalchemy as sa
from alembic import op

from servicekit.migrations import isolate

revision = "0010"
down_revision = "0009"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_tokens()
    _create_users()
    _create_groups()
    isolate("auth", "scim_tokens", "scim_users", "scim_groups", "scim_group_members")


def downgrade() -> None:
    for table in ("scim_group_members", "scim_groups", "scim_users", "scim_tokens"):
        op.drop_table(table)


def _of_connection(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "connection_id"],
        ["connections.organization_id", "connections.id"],
        name=name,
        ondelete="CASCADE",
    )


def _create_tokens() -> None:
    op.create_table(
        "scim_tokens",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("connection_id", sa.Uuid, primary_key=True),
        sa.Column("short_id", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.Uuid),
        sa.Column("previous_hash", sa.LargeBinary),
        sa.Column("previous_until", _MOMENT),
        sa.Column("last_used_at", _MOMENT),
        _of_connection("scim_tokens_of_connection"),
        sa.CheckConstraint(
            "octet_length(secret_hash) = 32 AND octet_length(previous_hash) = 32", name="scim_tokens_hashed"
        ),
        sa.CheckConstraint(
            "(previous_hash IS NULL) = (previous_until IS NULL)", name="scim_tokens_previous_holds_until"
        ),
    )
    op.create_index("scim_tokens_short_id", "scim_tokens", ["short_id"], unique=True)


def _create_users() -> None:
    op.create_table(
        "scim_users",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("connection_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("granted_role", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        _of_connection("scim_users_of_connection"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="scim_users_of_user", ondelete="CASCADE"),
        sa.UniqueConstraint("organization_id", "user_id", name="scim_users_managed_once"),
    )
    op.create_index("scim_users_user", "scim_users", ["user_id"])


def _create_groups() -> None:
    op.create_table(
        "scim_groups",
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("connection_id", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        _of_connection("scim_groups_of_connection"),
    )
    op.create_index(
        "scim_groups_name_taken",
        "scim_groups",
        ["organization_id", "connection_id", sa.text("lower(display_name)")],
        unique=True,
    )
    op.create_table(
        "scim_group_members",
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
    op.create_index(
        "scim_group_members_member", "scim_group_members", ["organization_id", "connection_id", "member_id"]
    )
