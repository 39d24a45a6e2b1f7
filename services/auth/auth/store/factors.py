"""Authenticator apps, recovery codes and wrong attempts of people. Platform transactions only."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth.domain.challenges import Factor, FailedAttempts
from auth.domain.totp import Totp
from auth.tables import FACTOR_ATTEMPTS, PASSKEYS, RECOVERY_CODES, TOTP_FACTORS
from servicekit.database import Transaction

_user = sa.bindparam("user", type_=sa.Uuid)
_codes_of_user = RECOVERY_CODES.c.user_id == _user

_LOCK_TOTP = sa.select(TOTP_FACTORS).where(TOTP_FACTORS.c.user_id == _user).with_for_update()
_new_totp = insert(TOTP_FACTORS)
_SAVE_TOTP = _new_totp.on_conflict_do_update(
    index_elements=["user_id"],
    set_={
        column: _new_totp.excluded[column]
        for column in ("sealed_secret", "begun_at", "confirmed_at", "last_counter")
    },
)
_DELETE_TOTP = sa.delete(TOTP_FACTORS).where(TOTP_FACTORS.c.user_id == _user)
_since = sa.bindparam("since", type_=sa.DateTime(timezone=True))
_DELETE_TOTP_SINCE = (
    sa.delete(TOTP_FACTORS)
    .where(
        TOTP_FACTORS.c.user_id == _user,
        sa.func.coalesce(TOTP_FACTORS.c.confirmed_at, TOTP_FACTORS.c.begun_at) >= _since,
    )
    .returning(TOTP_FACTORS.c.confirmed_at)
)
_DELETE_PASSKEYS_SINCE = sa.delete(PASSKEYS).where(
    PASSKEYS.c.user_id == _user, PASSKEYS.c.created_at >= _since
)
_COUNT_FACTORS = sa.select(
    sa.exists()
    .where(TOTP_FACTORS.c.user_id == _user, TOTP_FACTORS.c.confirmed_at.is_not(None))
    .label("totp"),
    sa.select(sa.func.count()).where(PASSKEYS.c.user_id == _user).scalar_subquery().label("passkeys"),
    sa.select(sa.func.count())
    .where(_codes_of_user, RECOVERY_CODES.c.used_at.is_(None))
    .scalar_subquery()
    .label("codes"),
)
_HAS_CODES = sa.select(sa.exists().where(_codes_of_user))
_DELETE_CODES = sa.delete(RECOVERY_CODES).where(_codes_of_user)
_INSERT_CODES = sa.insert(RECOVERY_CODES)
_USE_CODE = (
    sa.update(RECOVERY_CODES)
    .where(
        _codes_of_user,
        RECOVERY_CODES.c.code_hash == sa.bindparam("hashed", type_=sa.LargeBinary),
        RECOVERY_CODES.c.used_at.is_(None),
    )
    .values(used_at=sa.func.now())
)
_MAKE_ATTEMPTS = (
    insert(FACTOR_ATTEMPTS).values(user_id=_user).on_conflict_do_nothing(index_elements=["user_id"])
)
_LOCK_ATTEMPTS = (
    sa.select(FACTOR_ATTEMPTS.c.failed_at).where(FACTOR_ATTEMPTS.c.user_id == _user).with_for_update()
)
_SAVE_ATTEMPTS = (
    sa.update(FACTOR_ATTEMPTS)
    .where(FACTOR_ATTEMPTS.c.user_id == _user)
    .values(failed_at=sa.bindparam("moments", type_=FACTOR_ATTEMPTS.c.failed_at.type))
)


async def lock_totp(tx: Transaction, user_id: UUID) -> Totp | None:
    """The authenticator app, confirmed or not, which nobody else changes until the end of `tx`."""
    row = (await tx.execute(_LOCK_TOTP, {"user": user_id})).mappings().one_or_none()
    return Totp(**row) if row else None


async def save_totp(tx: Transaction, totp: Totp) -> None:
    """Keeps the app in the place of the one before."""
    await tx.execute(
        _SAVE_TOTP,
        {
            "user_id": totp.user_id,
            "sealed_secret": totp.sealed_secret,
            "begun_at": totp.begun_at,
            "confirmed_at": totp.confirmed_at,
            "last_counter": totp.last_counter,
        },
    )


async def delete_totp(tx: Transaction, user_id: UUID) -> None:
    """Forgets the app."""
    await tx.execute(_DELETE_TOTP, {"user": user_id})


async def forget_factors_since(tx: Transaction, user_id: UUID, since: datetime) -> list[Factor]:
    """Forgets what was added from then on, one entry for each that counted; and all recovery codes.

    Of recovery codes nobody knows when they were made.
    """
    asked = {"user": user_id, "since": since}
    totps = (await tx.execute(_DELETE_TOTP_SINCE, asked)).scalars().all()
    passkeys = (await tx.execute(_DELETE_PASSKEYS_SINCE, asked)).rowcount
    await tx.execute(_DELETE_CODES, {"user": user_id})
    confirmed = [Factor.TOTP for confirmed_at in totps if confirmed_at is not None]
    return [*confirmed, *(Factor.PASSKEY for _ in range(passkeys))]


async def count_factors(tx: Transaction, user_id: UUID) -> tuple[bool, int, int]:
    """Whether an app is confirmed, how many passkeys there are, and how many recovery codes were not used."""
    row = (await tx.execute(_COUNT_FACTORS, {"user": user_id})).mappings().one()
    return row["totp"], row["passkeys"], row["codes"]


async def list_factors(tx: Transaction, user_id: UUID) -> tuple[Factor, ...]:
    """What a second step of the person can be made with; nothing for whoever has no second factor."""
    totp, passkeys, codes = await count_factors(tx, user_id)
    if not totp and not passkeys:
        return ()
    present = {Factor.TOTP: totp, Factor.PASSKEY: passkeys > 0, Factor.RECOVERY_CODE: codes > 0}
    return tuple(factor for factor, there in present.items() if there)


async def has_recovery_codes(tx: Transaction, user_id: UUID) -> bool:
    """Whether any were made, used up or not."""
    return bool((await tx.execute(_HAS_CODES, {"user": user_id})).scalar_one())


async def replace_recovery_codes(tx: Transaction, user_id: UUID, hashes: list[bytes]) -> None:
    """Keeps these codes and forgets all others."""
    await tx.execute(_DELETE_CODES, {"user": user_id})
    if hashes:
        await tx.execute(_INSERT_CODES, [{"user_id": user_id, "code_hash": each} for each in hashes])


async def use_recovery_code(tx: Transaction, user_id: UUID, hashed: bytes) -> bool:
    """Uses a code up. False when the person has no such code, or had used it."""
    return (await tx.execute(_USE_CODE, {"user": user_id, "hashed": hashed})).rowcount == 1


async def lock_attempts(tx: Transaction, user_id: UUID) -> FailedAttempts:
    """The wrong attempts; whoever else tries for the same person waits for the end of `tx`."""
    await tx.execute(_MAKE_ATTEMPTS, {"user": user_id})
    return FailedAttempts((await tx.execute(_LOCK_ATTEMPTS, {"user": user_id})).scalar_one())


async def save_attempts(tx: Transaction, user_id: UUID, attempts: FailedAttempts) -> None:
    """Keeps the wrong attempts."""
    await tx.execute(_SAVE_ATTEMPTS, {"user": user_id, "moments": attempts.moments})
