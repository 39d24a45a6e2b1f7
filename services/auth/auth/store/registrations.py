"""Registrations that wait and the tokens of their links. Only platform transactions see these tables."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from auth.domain.accounts import LIVE_REGISTRATIONS, MAILS_PER_REGISTRATION, Registration, Verification
from auth.tables import EMAIL_VERIFICATIONS, REGISTRATIONS, USERS
from servicekit.database import Transaction

_COLUMNS = [
    REGISTRATIONS.c[name]
    for name in (
        "id",
        "email",
        "display_name",
        "organization_name",
        "language",
        "password_hash",
        "expires_at",
        "completed_at",
        "organization_id",
    )
]
_NOW = sa.func.now()
_of_email = REGISTRATIONS.c.email == sa.bindparam("address", type_=sa.Text)
_of_id = REGISTRATIONS.c.id == sa.bindparam("registration", type_=sa.Uuid)
_waiting = sa.and_(REGISTRATIONS.c.completed_at.is_(None), REGISTRATIONS.c.expires_at > _NOW)
_of_token = sa.and_(
    EMAIL_VERIFICATIONS.c.token_hash == sa.bindparam("token", type_=sa.LargeBinary),
    EMAIL_VERIFICATIONS.c.expires_at > _NOW,
)

_LOCK_ADDRESS = sa.select(
    sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("address", type_=sa.Text), 0))
)
_COUNT = sa.select(sa.func.count()).select_from(REGISTRATIONS).where(_of_email, _waiting)
_INSERT = sa.insert(REGISTRATIONS)
_LOCK = sa.select(*_COLUMNS).where(_of_id).with_for_update()
_TAKEN = sa.select(sa.exists().where(USERS.c.email == sa.bindparam("address", type_=sa.Text)))
_COMPLETE = (
    sa.update(REGISTRATIONS)
    .where(_of_id)
    .values(
        completed_at=sa.bindparam("completed", type_=sa.DateTime(timezone=True)),
        organization_id=sa.bindparam("organization", type_=sa.Uuid),
    )
)
_PROLONG = (
    sa.update(REGISTRATIONS)
    .where(_of_id)
    .values(expires_at=sa.bindparam("until", type_=sa.DateTime(timezone=True)))
)
_COUNT_MAIL = (
    sa.update(REGISTRATIONS)
    .where(_of_email, _waiting, REGISTRATIONS.c.mails < MAILS_PER_REGISTRATION)
    .values(mails=REGISTRATIONS.c.mails + 1)
    .returning(REGISTRATIONS.c.id)
)
_DELETE = sa.delete(REGISTRATIONS).where(_of_id)
# A user has the id of the registration that they came by.
_DELETE_OF_PERSON = sa.delete(REGISTRATIONS).where(
    sa.or_(REGISTRATIONS.c.id == sa.bindparam("registration", type_=sa.Uuid), _of_email)
)
_DELETE_RIVALS = sa.delete(REGISTRATIONS).where(
    _of_email,
    REGISTRATIONS.c.completed_at.is_(None),
    REGISTRATIONS.c.id != sa.bindparam("registration", type_=sa.Uuid),
)
_INSERT_VERIFICATION = sa.insert(EMAIL_VERIFICATIONS)
_FIND_EMAIL = sa.select(REGISTRATIONS.c.email).join(EMAIL_VERIFICATIONS).where(_of_token)
_LOCK_BY_TOKEN = (
    sa.select(*_COLUMNS).join(EMAIL_VERIFICATIONS).where(_of_token).with_for_update(of=REGISTRATIONS)
)
_USE = (
    sa.update(EMAIL_VERIFICATIONS)
    .where(EMAIL_VERIFICATIONS.c.token_hash == sa.bindparam("token", type_=sa.LargeBinary))
    .values(used_at=_NOW)
)


async def lock_address(tx: Transaction, email: str) -> None:
    """Makes everybody who registers or verifies this address wait for the end of `tx`."""
    await tx.execute(_LOCK_ADDRESS, {"address": email})


async def has_room(tx: Transaction, email: str) -> bool:
    """Whether one more registration may wait for the address. True only under `lock_address`."""
    waiting: int = (await tx.execute(_COUNT, {"address": email})).scalar_one()
    return waiting < LIVE_REGISTRATIONS


async def insert_registration(tx: Transaction, registration: Registration) -> None:
    """Keeps a new registration."""
    await tx.execute(_INSERT, asdict(registration))


async def lock_registration(tx: Transaction, registration_id: UUID) -> Registration | None:
    """A registration, which nobody else changes until the end of `tx`; None once it is forgotten."""
    return _registration(
        (await tx.execute(_LOCK, {"registration": registration_id})).mappings().one_or_none()
    )


async def is_taken(tx: Transaction, email: str) -> bool:
    """Whether a verified user has the address."""
    return bool((await tx.execute(_TAKEN, {"address": email})).scalar_one())


async def complete_registration(tx: Transaction, done: Registration) -> None:
    """Keeps that a registration came true, and forgets the others that waited for the address."""
    await tx.execute(
        _COMPLETE,
        {"registration": done.id, "completed": done.completed_at, "organization": done.organization_id},
    )
    await tx.execute(_DELETE_RIVALS, {"address": done.email, "registration": done.id})


async def prolong_registration(tx: Transaction, registration_id: UUID, until: datetime) -> None:
    """Lets a registration wait until then."""
    await tx.execute(_PROLONG, {"registration": registration_id, "until": until})


async def count_mails(tx: Transaction, email: str) -> list[UUID]:
    """The registrations that wait for the address and may be mailed once more; counts that mail."""
    return list((await tx.execute(_COUNT_MAIL, {"address": email})).scalars())


async def delete_registration(tx: Transaction, registration_id: UUID) -> None:
    """Forgets a registration and its tokens."""
    await tx.execute(_DELETE, {"registration": registration_id})


async def delete_registrations_of(tx: Transaction, user_id: UUID, email: str) -> int:
    """Forgets the registration that a user came by, and those of their address. Answers how many."""
    deleted = await tx.execute(_DELETE_OF_PERSON, {"registration": user_id, "address": email})
    return deleted.rowcount


async def insert_verification(tx: Transaction, verification: Verification) -> None:
    """Keeps the hash of a link's token."""
    await tx.execute(_INSERT_VERIFICATION, asdict(verification))


async def find_email_of_token(tx: Transaction, token_hash: bytes) -> str | None:
    """The address that a token verifies, while the token holds."""
    email: str | None = (await tx.execute(_FIND_EMAIL, {"token": token_hash})).scalar_one_or_none()
    return email


async def lock_registration_of_token(tx: Transaction, token_hash: bytes) -> Registration | None:
    """The registration that a token belongs to, while the token holds; locked as by `lock_registration`."""
    return _registration((await tx.execute(_LOCK_BY_TOKEN, {"token": token_hash})).mappings().one_or_none())


async def use_token(tx: Transaction, token_hash: bytes) -> None:
    """Keeps when a token did its work."""
    await tx.execute(_USE, {"token": token_hash})


def _registration(row: sa.RowMapping | None) -> Registration | None:
    return Registration(**row) if row is not None else None
