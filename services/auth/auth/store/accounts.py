"""Users, organizations, memberships, and the count of log-ins that failed."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain.accounts import (
    ATTEMPTS_WINDOW,
    Account,
    Membership,
    Profile,
    Registration,
    VerificationTokenInvalid,
)
from auth.store.grants import GRANT_COLUMNS, ROLE_OF_MEMBER, grant_of
from auth.tables import LOG_IN_ATTEMPTS, MEMBERSHIPS, ORGANIZATIONS, REGISTRATIONS, ROLES, USERS
from servicekit import database
from servicekit.database import Transaction
from servicekit.purging import deletion, sweep

_NOW = sa.func.now()
_address = sa.bindparam("address", type_=sa.Text)

_INSERT_USER = sa.insert(USERS)
_INSERT_ORGANIZATION = sa.insert(ORGANIZATIONS)
_INSERT_MEMBERSHIP = sa.insert(MEMBERSHIPS)
# A verified user first; else what waits for the address, the newest first. One statement, whatever is known.
_FIND_ACCOUNT = (
    sa.select(USERS.c.id, USERS.c.password_hash, sa.true().label("verified"), USERS.c.created_at)
    .where(USERS.c.email == _address)
    .union_all(
        sa.select(
            REGISTRATIONS.c.id,
            REGISTRATIONS.c.password_hash,
            sa.false().label("verified"),
            REGISTRATIONS.c.created_at,
        ).where(
            REGISTRATIONS.c.email == _address,
            REGISTRATIONS.c.completed_at.is_(None),
            REGISTRATIONS.c.expires_at > _NOW,
        )
    )
    .order_by(sa.desc("verified"), sa.desc("created_at"))
    .limit(1)
)
_SAVE_PASSWORD = (
    sa.update(USERS)
    .where(USERS.c.id == sa.bindparam("user", type_=sa.Uuid))
    .values(password_hash=sa.bindparam("hashed", type_=sa.Text))
)
_FIND_USER = sa.select(USERS.c.email, USERS.c.password_hash).where(
    USERS.c.id == sa.bindparam("user", type_=sa.Uuid)
)
_FIRST_ORGANIZATION = (
    sa.select(MEMBERSHIPS.c.organization_id)
    .where(MEMBERSHIPS.c.user_id == sa.bindparam("user", type_=sa.Uuid))
    .order_by(MEMBERSHIPS.c.created_at, MEMBERSHIPS.c.organization_id)
    .limit(1)
)
_FIND_PROFILE = (
    sa.select(
        USERS.c.id.label("user_id"),
        USERS.c.email,
        USERS.c.display_name,
        ORGANIZATIONS.c.id.label("organization_id"),
        ORGANIZATIONS.c.name.label("organization_name"),
        *GRANT_COLUMNS,
    )
    .select_from(
        MEMBERSHIPS.join(USERS)
        .join(ORGANIZATIONS, ORGANIZATIONS.c.id == MEMBERSHIPS.c.organization_id)
        .outerjoin(ROLES, ROLE_OF_MEMBER)
    )
    .where(
        MEMBERSHIPS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        MEMBERSHIPS.c.user_id == sa.bindparam("user", type_=sa.Uuid),
    )
)
_over = LOG_IN_ATTEMPTS.c.since <= _NOW - ATTEMPTS_WINDOW
_left = sa.extract("epoch", LOG_IN_ATTEMPTS.c.since + ATTEMPTS_WINDOW - _NOW)
_SWEEP = deletion(LOG_IN_ATTEMPTS, _over, oldest=LOG_IN_ATTEMPTS.c.since)
_COUNT_ATTEMPT = (
    insert(LOG_IN_ATTEMPTS)
    .values(key=sa.bindparam("attempt", type_=sa.LargeBinary), attempts=1, since=_NOW)
    .on_conflict_do_update(
        index_elements=["key"],
        set_={
            "attempts": sa.case((_over, 1), else_=LOG_IN_ATTEMPTS.c.attempts + 1),
            "since": sa.case((_over, _NOW), else_=LOG_IN_ATTEMPTS.c.since),
        },
    )
    .returning(LOG_IN_ATTEMPTS.c.attempts, sa.cast(sa.func.ceil(_left), sa.Integer).label("seconds_left"))
)
_TAKE_ATTEMPT_BACK = (
    sa.update(LOG_IN_ATTEMPTS)
    .where(
        LOG_IN_ATTEMPTS.c.key == sa.bindparam("attempt", type_=sa.LargeBinary),
        ~_over,
        LOG_IN_ATTEMPTS.c.attempts > 0,
    )
    .values(attempts=LOG_IN_ATTEMPTS.c.attempts - 1)
)
_CLEAR_ATTEMPTS = sa.delete(LOG_IN_ATTEMPTS).where(
    LOG_IN_ATTEMPTS.c.key == sa.bindparam("attempt", type_=sa.LargeBinary)
)


async def insert_user(tx: Transaction, registration: Registration, now: datetime) -> None:
    """Makes the user of a registration whose link was followed.

    Raises:
        VerificationTokenInvalid: another user has the address.
    """
    try:
        await tx.execute(
            _INSERT_USER,
            {
                "id": registration.id,
                "email": registration.email,
                "display_name": registration.display_name,
                "language": registration.language,
                "password_hash": registration.password_hash,
                "verified_at": now,
            },
        )
    except IntegrityError as error:
        if database.constraint(error) == "users_email_taken":
            raise VerificationTokenInvalid from error
        raise


async def insert_organization(tx: Transaction, organization_id: UUID, name: str) -> None:
    """Makes a tenant."""
    await tx.execute(_INSERT_ORGANIZATION, {"id": organization_id, "name": name})


async def insert_membership(tx: Transaction, membership: Membership) -> None:
    """Makes a person a member."""
    await tx.execute(
        _INSERT_MEMBERSHIP,
        {
            "organization_id": membership.organization_id,
            "user_id": membership.user_id,
            "role": membership.role,
        },
    )


async def find_account(tx: Transaction, email: str) -> Account | None:
    """What a log-in with this address is checked against."""
    row = (await tx.execute(_FIND_ACCOUNT, {"address": email})).one_or_none()
    return Account(row.id, row.password_hash, row.verified) if row else None


async def find_user(tx: Transaction, user_id: UUID) -> tuple[str, str] | None:
    """Address and password hash of a user; None for whoever is none (any more)."""
    row = (await tx.execute(_FIND_USER, {"user": user_id})).one_or_none()
    return (row.email, row.password_hash) if row else None


async def save_password(tx: Transaction, user_id: UUID, password_hash: str) -> None:
    """Keeps another hash of a user's password."""
    await tx.execute(_SAVE_PASSWORD, {"user": user_id, "hashed": password_hash})


async def find_first_organization(tx: Transaction, user_id: UUID) -> UUID | None:
    """The organization that a log-in opens: that of the oldest membership."""
    found: UUID | None = (await tx.execute(_FIRST_ORGANIZATION, {"user": user_id})).scalar_one_or_none()
    return found


async def find_profile(tx: Transaction, organization_id: UUID, user_id: UUID) -> Profile | None:
    """A member with their organization; None for whoever is no member (any more)."""
    found = await tx.execute(_FIND_PROFILE, {"organization": organization_id, "user": user_id})
    row = found.mappings().one_or_none()
    if row is None:
        return None
    values = {str(name): value for name, value in row.items()}
    for column in GRANT_COLUMNS:
        del values[column.name]
    return Profile(**values, grant=grant_of(row))


async def count_attempt(tx: Transaction, key: bytes) -> tuple[int, int]:
    """Counts one more log-in: how many there were in the window with it, and in how many seconds it ends."""
    counted = (await tx.execute(_COUNT_ATTEMPT, {"attempt": key})).mappings().one()
    # Afterwards, skipping what is locked: so nobody waits for others in a circle.
    await sweep(tx, _SWEEP)
    return counted["attempts"], counted["seconds_left"]


async def take_attempt_back(tx: Transaction, key: bytes) -> None:
    """One that was counted does not count after all."""
    await tx.execute(_TAKE_ATTEMPT_BACK, {"attempt": key})


async def clear_attempts(tx: Transaction, key: bytes) -> None:
    """Forgets the count: the password was right."""
    await tx.execute(_CLEAR_ATTEMPTS, {"attempt": key})
