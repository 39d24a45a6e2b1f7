"""Invitations and the hashes of their links. What starts from a secret alone is a platform transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.domain.invitations import Invitation, InvitationExists
from auth.domain.roles import RoleNotFound
from auth.store import grants
from auth.tables import INVITATION_LINKS, INVITATIONS, ORGANIZATIONS, ROLES, USERS
from servicekit import database
from servicekit.database import Transaction

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.func.now()
_organization = sa.bindparam("organization", type_=sa.Uuid)
_of_organization = INVITATIONS.c.organization_id == _organization
_of_id = INVITATIONS.c.id == sa.bindparam("invitation", type_=sa.Uuid)
_waiting = sa.and_(INVITATIONS.c.accepted_at.is_(None), INVITATIONS.c.revoked_at.is_(None))
_open = sa.and_(_waiting, INVITATIONS.c.expires_at > _NOW)

_INSERT = sa.insert(INVITATIONS)
_LOCK = sa.select(INVITATIONS).where(_of_id).with_for_update()
_LIST = (
    sa.select(INVITATIONS)
    .where(_of_organization, _open, INVITATIONS.c.id < sa.bindparam("before", type_=sa.Uuid))
    .order_by(INVITATIONS.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_COUNT = sa.select(sa.func.count()).select_from(INVITATIONS).where(_of_organization, _open)
_SAVE = (
    sa.update(INVITATIONS)
    .where(_of_id)
    .values(
        expires_at=sa.bindparam("until", type_=_MOMENT),
        mails=sa.bindparam("sent", type_=sa.SmallInteger),
        invited_by=sa.bindparam("inviter", type_=sa.Uuid),
        accepted_at=sa.bindparam("accepted", type_=_MOMENT),
        accepted_by=sa.bindparam("acceptor", type_=sa.Uuid),
        revoked_at=sa.bindparam("revoked", type_=_MOMENT),
    )
)
# What ran out gives the address free; it stays as closed as it was.
_CLOSE_EXPIRED = (
    sa.update(INVITATIONS)
    .where(
        _of_organization,
        INVITATIONS.c.email == sa.bindparam("address", type_=sa.Text),
        _waiting,
        INVITATIONS.c.expires_at <= _NOW,
    )
    .values(revoked_at=_NOW)
)
_REVOKE_OF = (
    sa.update(INVITATIONS)
    .where(_of_organization, INVITATIONS.c.invited_by == sa.bindparam("inviter", type_=sa.Uuid), _open)
    .values(revoked_at=_NOW)
    .returning(INVITATIONS.c.id)
)
_REVOKE_TO = (
    sa.update(INVITATIONS)
    .where(_of_organization, INVITATIONS.c.email == sa.bindparam("address", type_=sa.Text), _open)
    .values(revoked_at=_NOW)
    .returning(INVITATIONS.c.id)
)
_DELETE = sa.delete(INVITATIONS).where(_of_id)
_DELETE_OF_PERSON = sa.delete(INVITATIONS).where(
    sa.or_(
        INVITATIONS.c.email == sa.bindparam("address", type_=sa.Text),
        INVITATIONS.c.accepted_by == sa.bindparam("person", type_=sa.Uuid),
    )
)
_INSERT_LINK = sa.insert(INVITATION_LINKS)
_FIND_BY_LINK = (
    sa.select(INVITATIONS)
    .join(INVITATION_LINKS, INVITATION_LINKS.c.invitation_id == INVITATIONS.c.id)
    .where(INVITATION_LINKS.c.token_hash == sa.bindparam("token", type_=sa.LargeBinary))
)
_DESCRIBE = (
    sa.select(
        ORGANIZATIONS.c.name.label("organization_name"),
        sa.func.coalesce(USERS.c.display_name, "").label("inviter_name"),
        sa.func.coalesce(ROLES.c.name, INVITATIONS.c.role).label("role_name"),
    )
    .select_from(
        INVITATIONS.join(ORGANIZATIONS, ORGANIZATIONS.c.id == INVITATIONS.c.organization_id)
        .outerjoin(USERS, USERS.c.id == INVITATIONS.c.invited_by)
        .outerjoin(
            ROLES,
            sa.and_(
                ROLES.c.organization_id == INVITATIONS.c.organization_id,
                ROLES.c.id == INVITATIONS.c.role_id,
            ),
        )
    )
    .where(_of_id)
)


async def insert_invitation(tx: Transaction, invitation: Invitation) -> None:
    """Keeps a new invitation.

    Raises:
        InvitationExists: one is open for the address.
        RoleNotFound: its role is none.
    """
    await tx.execute(
        _CLOSE_EXPIRED, {"organization": invitation.organization_id, "address": invitation.email}
    )
    values = {
        "organization_id": invitation.organization_id,
        "id": invitation.id,
        "email": invitation.email,
        "venues": sorted(invitation.venues),
        "language": invitation.language,
        "invited_by": invitation.invited_by,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "mails": invitation.mails,
        **grants.columns(invitation.role, RoleNotFound),
    }
    try:
        await tx.execute(_INSERT, values)
    except IntegrityError as error:
        if database.constraint(error) == "invitations_one_open":
            raise InvitationExists from error
        raise


async def lock_invitation(tx: Transaction, invitation_id: UUID) -> Invitation | None:
    """An invitation, which nobody else changes until the end of `tx`."""
    row = (await tx.execute(_LOCK, {"invitation": invitation_id})).mappings().one_or_none()
    return _invitation(row) if row else None


async def list_open(tx: Transaction, organization_id: UUID, *, before: UUID, most: int) -> list[Invitation]:
    """The open ones, the newest first, from the one written before `before`."""
    values = {"organization": organization_id, "before": before, "most": most}
    return [_invitation(row) for row in (await tx.execute(_LIST, values)).mappings()]


async def count_open(tx: Transaction, organization_id: UUID) -> int:
    """How many are open."""
    counted: int = (await tx.execute(_COUNT, {"organization": organization_id})).scalar_one()
    return counted


async def save_invitation(tx: Transaction, invitation: Invitation) -> None:
    """Keeps the new state of a locked invitation."""
    await tx.execute(
        _SAVE,
        {
            "invitation": invitation.id,
            "until": invitation.expires_at,
            "sent": invitation.mails,
            "inviter": invitation.invited_by,
            "accepted": invitation.accepted_at,
            "acceptor": invitation.accepted_by,
            "revoked": invitation.revoked_at,
        },
    )


async def revoke_invitations_of(tx: Transaction, organization_id: UUID, inviter: UUID) -> int:
    """Withdraws what somebody sent and nobody accepted yet. Answers how many."""
    values = {"organization": organization_id, "inviter": inviter}
    return len((await tx.execute(_REVOKE_OF, values)).all())


async def revoke_invitations_to(tx: Transaction, organization_id: UUID, email: str) -> int:
    """Withdraws what an address is offered and nobody accepted yet. Answers how many."""
    values = {"organization": organization_id, "address": email}
    return len((await tx.execute(_REVOKE_TO, values)).all())


async def delete_invitation(tx: Transaction, invitation_id: UUID) -> None:
    """Forgets an invitation and its links."""
    await tx.execute(_DELETE, {"invitation": invitation_id})


async def delete_invitations_to(tx: Transaction, user_id: UUID, email: str) -> int:
    """Forgets what a person was invited to, open or over, in all organizations. Answers how many."""
    deleted = await tx.execute(_DELETE_OF_PERSON, {"address": email, "person": user_id})
    return deleted.rowcount


async def insert_link(tx: Transaction, invitation: Invitation, token_hash: bytes) -> None:
    """Keeps the hash of a link's secret."""
    await tx.execute(
        _INSERT_LINK,
        {
            "token_hash": token_hash,
            "organization_id": invitation.organization_id,
            "invitation_id": invitation.id,
        },
    )


async def find_by_link(tx: Transaction, token_hash: bytes) -> Invitation | None:
    """The invitation that a link belongs to, open or not."""
    row = (await tx.execute(_FIND_BY_LINK, {"token": token_hash})).mappings().one_or_none()
    return _invitation(row) if row else None


async def describe(tx: Transaction, invitation_id: UUID) -> tuple[str, str, str]:
    """What the organization, the inviter (empty: left) and the role are called."""
    row = (await tx.execute(_DESCRIBE, {"invitation": invitation_id})).one()
    return row.organization_name, row.inviter_name, row.role_name


def _invitation(row: Mapping[Any, Any]) -> Invitation:
    values = {str(name): value for name, value in row.items()}
    values["role"] = grants.word(values["role"], values.pop("role_id"))
    return Invitation(**(values | {"venues": frozenset(values["venues"])}))
