"""Passkeys of people. Platform transactions only."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.domain.passkeys import Passkey, PasskeyExists
from auth.tables import PASSKEYS
from servicekit import database
from servicekit.database import Transaction

_user = sa.bindparam("user", type_=sa.Uuid)
_one = sa.and_(PASSKEYS.c.user_id == _user, PASSKEYS.c.id == sa.bindparam("passkey", type_=sa.Uuid))

_INSERT = sa.insert(PASSKEYS)
_LIST = sa.select(PASSKEYS).where(PASSKEYS.c.user_id == _user).order_by(PASSKEYS.c.id)
_LOCK = (
    sa.select(PASSKEYS)
    .where(PASSKEYS.c.credential_id == sa.bindparam("credential", type_=sa.LargeBinary))
    .with_for_update()
)
_SAVE_USE = (
    sa.update(PASSKEYS)
    .where(_one)
    .values(
        sign_count=sa.bindparam("counted", type_=sa.BigInteger),
        backed_up=sa.bindparam("copied", type_=sa.Boolean),
        last_used_at=sa.bindparam("used", type_=sa.DateTime(timezone=True)),
    )
)
_RENAME = (
    sa.update(PASSKEYS).where(_one).values(name=sa.bindparam("called", type_=sa.Text)).returning(PASSKEYS)
)
_DELETE = sa.delete(PASSKEYS).where(_one)


async def insert_passkey(tx: Transaction, passkey: Passkey) -> None:
    """Keeps a new passkey.

    Raises:
        PasskeyExists: somebody has registered this credential.
    """
    try:
        await tx.execute(_INSERT, asdict(passkey))
    except IntegrityError as error:
        if database.constraint(error) == "passkeys_credential_taken":
            raise PasskeyExists from error
        raise


async def list_passkeys(tx: Transaction, user_id: UUID) -> list[Passkey]:
    """The passkeys of a person, the oldest first."""
    return [Passkey(**row) for row in (await tx.execute(_LIST, {"user": user_id})).mappings()]


async def lock_passkey(tx: Transaction, credential_id: bytes) -> Passkey | None:
    """The passkey of a credential, which nobody else uses until the end of `tx`."""
    row = (await tx.execute(_LOCK, {"credential": credential_id})).mappings().one_or_none()
    return Passkey(**row) if row else None


async def save_use(tx: Transaction, passkey: Passkey) -> None:
    """Keeps what an authenticator said by its last use."""
    await tx.execute(
        _SAVE_USE,
        {
            "user": passkey.user_id,
            "passkey": passkey.id,
            "counted": passkey.sign_count,
            "copied": passkey.backed_up,
            "used": passkey.last_used_at,
        },
    )


async def rename_passkey(tx: Transaction, user_id: UUID, passkey_id: UUID, name: str) -> Passkey | None:
    """Gives a passkey of the person another name; None when they have no such passkey."""
    found = await tx.execute(_RENAME, {"user": user_id, "passkey": passkey_id, "called": name})
    row = found.mappings().one_or_none()
    return Passkey(**row) if row else None


async def delete_passkey(tx: Transaction, user_id: UUID, passkey_id: UUID) -> None:
    """Forgets a passkey of the person."""
    await tx.execute(_DELETE, {"user": user_id, "passkey": passkey_id})
