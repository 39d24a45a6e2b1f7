"""Organizations and who belongs to them. Names and addresses are read in platform transactions only."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain.accounts import Membership
from auth.domain.members import Member, Organization
from auth.domain.roles import RoleNotFound
from auth.store import grants
from auth.store.grants import GRANT_COLUMNS, ROLE_OF_MEMBER
from auth.tables import FORMER_ADDRESSES, MEMBERSHIPS, ORGANIZATIONS, REMOVALS, ROLES, USERS
from servicekit import database
from servicekit.database import Transaction
from servicekit.errors import Busy
from servicekit.keyset import Keyset
from servicekit.paging import Page
from servicekit.permissions import OWNER

_MOMENT = sa.DateTime(timezone=True)
_organization = sa.bindparam("organization", type_=sa.Uuid)
_user = sa.bindparam("user", type_=sa.Uuid)
_in_organization = MEMBERSHIPS.c.organization_id == _organization
_of_user = MEMBERSHIPS.c.user_id == _user
_granted = MEMBERSHIPS.outerjoin(ROLES, ROLE_OF_MEMBER)
_organization_columns = (
    ORGANIZATIONS.c.id,
    ORGANIZATIONS.c.name,
    ORGANIZATIONS.c.plan,
    ORGANIZATIONS.c.version,
)

# Not so strong that it stops those who only refer to the organization.
_LOCK = (
    sa.select(*_organization_columns)
    .where(ORGANIZATIONS.c.id == _organization)
    .with_for_update(key_share=True)
)
_GET = sa.select(*_organization_columns).where(ORGANIZATIONS.c.id == _organization)
_INSERT_ORGANIZATION = sa.insert(ORGANIZATIONS)
_RENAME = (
    sa.update(ORGANIZATIONS)
    .where(ORGANIZATIONS.c.id == _organization)
    .values(name=sa.bindparam("called", type_=sa.Text), version=sa.bindparam("changed_to", type_=sa.Integer))
)
_LIST_OF_USER = Keyset(
    sa.select(*_organization_columns, MEMBERSHIPS.c.created_at, MEMBERSHIPS.c.organization_id, *GRANT_COLUMNS)
    .select_from(_granted.join(ORGANIZATIONS, ORGANIZATIONS.c.id == MEMBERSHIPS.c.organization_id))
    .where(
        _of_user,
        MEMBERSHIPS.c.organization_id
        == sa.func.coalesce(sa.bindparam("within", type_=sa.Uuid), MEMBERSHIPS.c.organization_id),
    ),
    MEMBERSHIPS.c.created_at,
    MEMBERSHIPS.c.organization_id,
)
_OWNED = sa.select(sa.func.count()).select_from(MEMBERSHIPS).where(_of_user, MEMBERSHIPS.c.role == OWNER)
_LOCK_USER = sa.select(USERS.c.id).where(USERS.c.id == _user).with_for_update(key_share=True)
_MEMBERS = sa.select(
    MEMBERSHIPS.c.user_id,
    USERS.c.display_name,
    USERS.c.email,
    MEMBERSHIPS.c.created_at,
    ROLES.c.name.label("role_name"),
    *GRANT_COLUMNS,
).select_from(_granted.join(USERS, USERS.c.id == MEMBERSHIPS.c.user_id))
_LIST = Keyset(_MEMBERS.where(_in_organization), MEMBERSHIPS.c.created_at, MEMBERSHIPS.c.user_id)
_LOCK_MEMBER = _MEMBERS.where(_in_organization, _of_user).with_for_update(of=MEMBERSHIPS)
_END_SESSIONS = (
    sa.update(MEMBERSHIPS)
    .where(_in_organization, _of_user)
    .values(sessions_ended_at=sa.bindparam("when", type_=_MOMENT))
)
_SESSIONS_ENDED = sa.select(MEMBERSHIPS.c.sessions_ended_at).where(_in_organization, _of_user)
_OWNERS = (
    sa.select(MEMBERSHIPS.c.user_id)
    .where(_in_organization, MEMBERSHIPS.c.role == OWNER)
    .order_by(MEMBERSHIPS.c.user_id)
)
_COUNT = sa.select(sa.func.count()).select_from(MEMBERSHIPS).where(_in_organization)
_HAS_ADDRESS = sa.select(
    sa.exists().where(
        _in_organization,
        MEMBERSHIPS.c.user_id == USERS.c.id,
        USERS.c.email == sa.bindparam("address", type_=sa.Text),
    )
)
_INSERT = sa.insert(MEMBERSHIPS)
_INSERT_REMOVAL = insert(REMOVALS).on_conflict_do_nothing()
_of_removal = (REMOVALS.c.organization_id == _organization, REMOVALS.c.user_id == _user)
# Of the account; or of another one, which has had the address.
_WAS_REMOVED = sa.select(
    sa.select(REMOVALS.c.user_id)
    .outerjoin(
        FORMER_ADDRESSES,
        sa.and_(
            FORMER_ADDRESSES.c.user_id == REMOVALS.c.user_id,
            FORMER_ADDRESSES.c.address_hash == sa.bindparam("hash", type_=sa.LargeBinary),
        ),
    )
    .where(
        REMOVALS.c.organization_id == _organization,
        sa.or_(REMOVALS.c.user_id == _user, FORMER_ADDRESSES.c.user_id.is_not(None)),
    )
    .exists()
)
_FORGET_REMOVAL = sa.delete(REMOVALS).where(*_of_removal)
_SAVE = (
    sa.update(MEMBERSHIPS)
    .where(_in_organization, _of_user)
    .values(
        role=sa.bindparam("new_role", type_=sa.Text),
        role_id=sa.bindparam("new_role_id", type_=sa.Uuid),
        venues=sa.bindparam("new_venues", type_=MEMBERSHIPS.c.venues.type),
    )
)
_DELETE = sa.delete(MEMBERSHIPS).where(_in_organization, _of_user)
_INSERT_PERSON = sa.insert(USERS)
_FIND_PERSON = sa.select(USERS.c.id, USERS.c.password_hash).where(
    USERS.c.email == sa.bindparam("address", type_=sa.Text)
)
_FIND_ADDRESS = sa.select(USERS.c.email).where(USERS.c.id == _user)


async def lock_organization(tx: Transaction, organization_id: UUID) -> Organization | None:
    """The organization. Whoever else changes who belongs to it, and as what, waits for the end of `tx`.

    The first lock of such a transaction: before memberships, sessions and the audit log.
    """
    row = (await tx.execute(_LOCK, {"organization": organization_id})).one_or_none()
    return Organization(row.id, row.name, row.plan, row.version) if row else None


async def get_organization(tx: Transaction, organization_id: UUID) -> Organization | None:
    """The organization."""
    row = (await tx.execute(_GET, {"organization": organization_id})).one_or_none()
    return Organization(row.id, row.name, row.plan, row.version) if row else None


async def insert_organization(tx: Transaction, organization: Organization) -> None:
    """Makes a tenant."""
    values = {"id": organization.id, "name": organization.name, "plan": organization.plan}
    await tx.execute(_INSERT_ORGANIZATION, values)


async def save_organization(tx: Transaction, organization: Organization) -> None:
    """Keeps another name, and the version that it makes."""
    values = {"called": organization.name, "changed_to": organization.version}
    await tx.execute(_RENAME, {"organization": organization.id, **values})


async def page_of_organizations(
    tx: Transaction, user_id: UUID, page: Page, *, within: UUID | None = None
) -> tuple[list[tuple[Organization, str]], str]:
    """A page of those of a person with their role, the oldest membership first, and the token of the next.

    `within`: this one alone. Raises InvalidPageToken.
    """
    rows, token = await _LIST_OF_USER.read(tx, page, {"user": user_id, "within": within})
    found = [
        (Organization(row["id"], row["name"], row["plan"], row["version"]), grants.grant_of(row).role)
        for row in rows
    ]
    return found, token


async def lock_owned(tx: Transaction, user_id: UUID) -> int:
    """How many organizations a person owns; none more by them until the end of `tx`."""
    await tx.execute(_LOCK_USER, {"user": user_id})
    owned: int = (await tx.execute(_OWNED, {"user": user_id})).scalar_one()
    return owned


async def page_of_members(tx: Transaction, organization_id: UUID, page: Page) -> tuple[list[Member], str]:
    """A page of the members, the oldest membership first, and the token of the next. InvalidPageToken."""
    rows, token = await _LIST.read(tx, page, {"organization": organization_id})
    return [_member(row) for row in rows], token


async def lock_member(tx: Transaction, organization_id: UUID, user_id: UUID) -> Member | None:
    """A member. No session is opened for them until the end of `tx`."""
    found = await tx.execute(_LOCK_MEMBER, {"organization": organization_id, "user": user_id})
    row = found.mappings().one_or_none()
    return _member(row) if row else None


async def end_sessions_until(tx: Transaction, organization_id: UUID, user_id: UUID, when: datetime) -> None:
    """Keeps when all sessions of a locked member were ended."""
    told = {"organization": organization_id, "user": user_id, "when": when}
    await tx.execute(_END_SESSIONS, told)


async def sessions_ended_at(tx: Transaction, organization_id: UUID, user_id: UUID) -> datetime | None:
    """When all sessions of a member were ended the last time; None for never."""
    found = await tx.execute(_SESSIONS_ENDED, {"organization": organization_id, "user": user_id})
    ended: datetime | None = found.scalar_one_or_none()
    return ended


async def list_owners(tx: Transaction, organization_id: UUID) -> Sequence[UUID]:
    """Who owns the organization. True for as long as its lock is held."""
    return (await tx.execute(_OWNERS, {"organization": organization_id})).scalars().all()


async def count_members(tx: Transaction, organization_id: UUID) -> int:
    """How many there are. True for as long as the organization's lock is held."""
    counted: int = (await tx.execute(_COUNT, {"organization": organization_id})).scalar_one()
    return counted


async def has_address(tx: Transaction, organization_id: UUID, email: str) -> bool:
    """Whether a member has the address."""
    found = await tx.execute(_HAS_ADDRESS, {"organization": organization_id, "address": email})
    return bool(found.scalar_one())


async def insert_member(tx: Transaction, membership: Membership) -> None:
    """Makes a person a member. That they were removed before is forgotten.

    Raises:
        RoleNotFound: the role is none.
    """
    gone = {"organization": membership.organization_id, "user": membership.user_id}
    await tx.execute(_FORGET_REMOVAL, gone)
    await tx.execute(
        _INSERT,
        {
            "organization_id": membership.organization_id,
            "user_id": membership.user_id,
            "venues": sorted(membership.venues),
            **grants.columns(membership.role, RoleNotFound),
        },
    )


async def insert_removal(tx: Transaction, organization_id: UUID, user_id: UUID) -> None:
    """Notes that the organization has removed a person, until they are a member again."""
    await tx.execute(_INSERT_REMOVAL, {"organization_id": organization_id, "user_id": user_id})


async def was_removed(tx: Transaction, organization_id: UUID, user_id: UUID, address_hash: bytes) -> bool:
    """Whether the organization has removed a person who is no member, or an account that had this address."""
    asked = {"organization": organization_id, "user": user_id, "hash": address_hash}
    return bool((await tx.execute(_WAS_REMOVED, asked)).scalar_one())


async def save_member(tx: Transaction, membership: Membership) -> None:
    """Keeps another role and other venues. Raises as `insert_member` does."""
    kept = grants.columns(membership.role, RoleNotFound)
    await tx.execute(
        _SAVE,
        {
            "organization": membership.organization_id,
            "user": membership.user_id,
            "new_role": kept["role"],
            "new_role_id": kept["role_id"],
            "new_venues": sorted(membership.venues),
        },
    )


async def delete_member(tx: Transaction, organization_id: UUID, user_id: UUID) -> None:
    """Ends a membership, and with it the rows of its sessions: they are to be ended before."""
    await tx.execute(_DELETE, {"organization": organization_id, "user": user_id})


async def insert_person(
    tx: Transaction, user_id: UUID, *, email: str, display_name: str, language: str, password_hash: str
) -> None:
    """Makes a user whose address is verified now.

    Raises:
        Busy: meanwhile another user has the address.
    """
    values = {
        "id": user_id,
        "email": email,
        "display_name": display_name,
        "language": language,
        "password_hash": password_hash,
        "verified_at": tx.now,
    }
    try:
        await tx.execute(_INSERT_PERSON, values)
    except IntegrityError as error:
        if database.constraint(error) == "users_email_taken":
            raise Busy from error
        raise


async def find_person(tx: Transaction, email: str) -> tuple[UUID, str] | None:
    """Id and password hash of the user who has an address."""
    row = (await tx.execute(_FIND_PERSON, {"address": email})).one_or_none()
    return (row.id, row.password_hash) if row else None


async def find_address(tx: Transaction, user_id: UUID) -> str | None:
    """The verified address of a user."""
    email: str | None = (await tx.execute(_FIND_ADDRESS, {"user": user_id})).scalar_one_or_none()
    return email


def _member(row: sa.RowMapping) -> Member:
    grant = grants.grant_of(row)
    return Member(
        user_id=row["user_id"],
        display_name=row["display_name"],
        email=row["email"],
        grant=grant,
        role_name=row["role_name"] or grant.role,
        joined_at=row["created_at"],
    )
