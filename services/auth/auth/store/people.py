"""People with accounts: one at a time, locked; what they own, and the devices they are known by."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain.account_mails import LinkInvalid
from auth.domain.known_devices import REMEMBERED
from auth.domain.people import User
from auth.tables import FORMER_ADDRESSES, KNOWN_DEVICES, MEMBERSHIPS, ORGANIZATIONS, USERS
from servicekit import database
from servicekit.database import Transaction

_OWNER = "owner"
_user = sa.bindparam("user", type_=sa.Uuid)
_COLUMNS = (USERS.c.id, USERS.c.email, USERS.c.display_name, USERS.c.language, USERS.c.password_hash)
_other = MEMBERSHIPS.alias("other")

_GET = sa.select(*_COLUMNS).where(USERS.c.id == _user)
# Leaves those alone who only refer to the user.
_LOCK = _GET.with_for_update(key_share=True)
_FIND = sa.select(*_COLUMNS).where(USERS.c.email == sa.bindparam("address", type_=sa.Text))
_LOCK_OF_ADDRESS = _FIND.with_for_update(key_share=True)
_ORGANIZATION_NAMES = (
    sa.select(ORGANIZATIONS.c.name)
    .select_from(MEMBERSHIPS.join(ORGANIZATIONS))
    .where(MEMBERSHIPS.c.user_id == _user)
)
_SAVE_EMAIL = (
    sa.update(USERS)
    .where(USERS.c.id == _user)
    .values(email=sa.bindparam("address", type_=sa.Text), verified_at=sa.func.now())
)
_KEEP_FORMER = insert(FORMER_ADDRESSES).on_conflict_do_nothing()
_SAVE_NAME = (
    sa.update(USERS).where(USERS.c.id == _user).values(display_name=sa.bindparam("called", type_=sa.Text))
)
# Owned or not: whoever makes somebody an owner locks the organization, too. In the order of their ids.
_LOCK_ORGANIZATIONS = (
    sa.select(ORGANIZATIONS.c.id)
    .where(
        ORGANIZATIONS.c.id.in_(sa.select(MEMBERSHIPS.c.organization_id).where(MEMBERSHIPS.c.user_id == _user))
    )
    .order_by(ORGANIZATIONS.c.id)
    .with_for_update(key_share=True)
)
_OWNED_ALONE = sa.select(MEMBERSHIPS.c.organization_id).where(
    MEMBERSHIPS.c.user_id == _user,
    MEMBERSHIPS.c.role == _OWNER,
    ~sa.exists().where(
        _other.c.organization_id == MEMBERSHIPS.c.organization_id,
        _other.c.role == _OWNER,
        _other.c.user_id != _user,
    ),
)
_ORGANIZATIONS = (
    sa.select(MEMBERSHIPS.c.organization_id)
    .where(MEMBERSHIPS.c.user_id == _user)
    .order_by(MEMBERSHIPS.c.organization_id)
)
# Whoever opens a session there waits.
_LOCK_MEMBERSHIPS = _ORGANIZATIONS.with_for_update()
_DELETE = sa.delete(USERS).where(USERS.c.id == _user)
_SINCE = sa.select(USERS.c.created_at).where(USERS.c.id == _user)
_DEVICES = sa.select(KNOWN_DEVICES.c.fingerprint, KNOWN_DEVICES.c.seen_at).where(
    KNOWN_DEVICES.c.user_id == _user
)
_KEEP_DEVICE = (
    insert(KNOWN_DEVICES)
    .values(user_id=_user, fingerprint=sa.bindparam("print", type_=sa.LargeBinary), seen_at=sa.func.now())
    .on_conflict_do_update(index_elements=["user_id", "fingerprint"], set_={"seen_at": sa.func.now()})
)
_FORGET_DEVICES = sa.delete(KNOWN_DEVICES).where(
    KNOWN_DEVICES.c.user_id == _user, KNOWN_DEVICES.c.seen_at <= sa.func.now() - REMEMBERED
)


async def get_user(tx: Transaction, user_id: UUID) -> User | None:
    """A user; None once they have left."""
    row = (await tx.execute(_GET, {"user": user_id})).mappings().one_or_none()
    return User(**row) if row else None


async def lock_user(tx: Transaction, user_id: UUID) -> User | None:
    """A user, whose credentials nobody else changes until the end of `tx`. Lock before anything of theirs."""
    row = (await tx.execute(_LOCK, {"user": user_id})).mappings().one_or_none()
    return User(**row) if row else None


async def find_user_of_address(tx: Transaction, email: str) -> User | None:
    """The user whose verified address it is."""
    row = (await tx.execute(_FIND, {"address": email})).mappings().one_or_none()
    return User(**row) if row else None


async def lock_user_of_address(tx: Transaction, email: str) -> User | None:
    """The same, locked as by `lock_user`."""
    row = (await tx.execute(_LOCK_OF_ADDRESS, {"address": email})).mappings().one_or_none()
    return User(**row) if row else None


async def organization_names(tx: Transaction, user_id: UUID) -> list[str]:
    """The names of the organizations that a user is a member of."""
    return list((await tx.execute(_ORGANIZATION_NAMES, {"user": user_id})).scalars())


async def save_email(tx: Transaction, user_id: UUID, email: str) -> None:
    """Keeps another address, verified by now.

    Raises:
        LinkInvalid: another user has it.
    """
    try:
        await tx.execute(_SAVE_EMAIL, {"user": user_id, "address": email})
    except IntegrityError as error:
        if database.constraint(error) == "users_email_taken":
            raise LinkInvalid from error
        raise


async def keep_former_address(tx: Transaction, user_id: UUID, address_hash: bytes) -> None:
    """Keeps the keyed hash of an address that the account had. Known ones stay."""
    await tx.execute(_KEEP_FORMER, {"user_id": user_id, "address_hash": address_hash})


async def save_display_name(tx: Transaction, user_id: UUID, name: str) -> None:
    """Keeps what colleagues see."""
    await tx.execute(_SAVE_NAME, {"user": user_id, "called": name})


async def lock_owned_alone(tx: Transaction, user_id: UUID) -> list[UUID]:
    """The organizations that only this user owns. Who owns what does not change until the end of `tx`."""
    await tx.execute(_LOCK_ORGANIZATIONS, {"user": user_id})
    return list((await tx.execute(_OWNED_ALONE, {"user": user_id})).scalars())


async def list_organizations(tx: Transaction, user_id: UUID) -> Sequence[UUID]:
    """The organizations that a user is a member of, in the order of their ids."""
    return (await tx.execute(_ORGANIZATIONS, {"user": user_id})).scalars().all()


async def lock_memberships(tx: Transaction, user_id: UUID) -> Sequence[UUID]:
    """The same. No session is opened for them until the end of `tx`; lock them before the sessions."""
    return (await tx.execute(_LOCK_MEMBERSHIPS, {"user": user_id})).scalars().all()


async def delete_user(tx: Transaction, user_id: UUID) -> None:
    """Deletes a user with all that is theirs alone: memberships, sessions, devices, links."""
    await tx.execute(_DELETE, {"user": user_id})


async def list_devices(tx: Transaction, user_id: UUID) -> Mapping[bytes, datetime]:
    """When each device of a user was last seen, by its fingerprint."""
    found = await tx.execute(_DEVICES, {"user": user_id})
    return {row.fingerprint: row.seen_at for row in found}


async def account_since(tx: Transaction, user_id: UUID) -> datetime:
    """When the account of somebody who has one was made."""
    made: datetime = (await tx.execute(_SINCE, {"user": user_id})).scalar_one()
    return made


async def keep_device(tx: Transaction, user_id: UUID, fingerprint: bytes) -> None:
    """Keeps that a device was seen now, and forgets those of this user that were not seen for long."""
    await tx.execute(_KEEP_DEVICE, {"user": user_id, "print": fingerprint})
    await tx.execute(_FORGET_DEVICES, {"user": user_id})
