"""Operators, their secrets and their second factors. Only platform transactions see them."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain.operators import Operator, OperatorExists, OperatorRole, OperatorSecret, Purpose
from auth.domain.totp import Totp
from auth.tables import OPERATOR_RECOVERY_CODES, OPERATOR_SECRETS, OPERATOR_TOTPS, OPERATORS
from servicekit import database
from servicekit.database import Transaction
from servicekit.purging import deletion, sweep

_operator = sa.bindparam("operator", type_=sa.Uuid)
_hashed = sa.bindparam("hashed", type_=sa.LargeBinary)
_address = sa.bindparam("address", type_=sa.Text)
_codes = OPERATOR_RECOVERY_CODES

_INSERT = sa.insert(OPERATORS)
_FIND = sa.select(OPERATORS).where(OPERATORS.c.email == _address)
_LOCK_OF_ADDRESS = _FIND.with_for_update()
_LOCK = sa.select(OPERATORS).where(OPERATORS.c.id == _operator).with_for_update()
_GET = sa.select(OPERATORS).where(OPERATORS.c.id == _operator)
_LIST = (
    sa.select(OPERATORS)
    .where(OPERATORS.c.email > sa.bindparam("after", type_=sa.Text))
    .order_by(OPERATORS.c.email)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_SAVE = (
    sa.update(OPERATORS)
    .where(OPERATORS.c.id == _operator)
    .values(
        password_hash=sa.bindparam("password", type_=sa.Text),
        enrolled_at=sa.bindparam("enrolled", type_=OPERATORS.c.enrolled_at.type),
        disabled_at=sa.bindparam("disabled", type_=OPERATORS.c.disabled_at.type),
        failed_at=sa.bindparam("failed", type_=OPERATORS.c.failed_at.type),
    )
)
_SWEEP_SECRETS = deletion(
    OPERATOR_SECRETS,
    OPERATOR_SECRETS.c.expires_at <= sa.func.now(),
    oldest=OPERATOR_SECRETS.c.expires_at,
)
_INSERT_SECRET = sa.insert(OPERATOR_SECRETS)
_FIND_SECRET = sa.select(OPERATOR_SECRETS.c.operator_id).where(
    OPERATOR_SECRETS.c.token_hash == _hashed,
    OPERATOR_SECRETS.c.purpose == sa.bindparam("what_for", type_=sa.Text),
    OPERATOR_SECRETS.c.expires_at > sa.func.now(),
)
_DELETE_SECRET = sa.delete(OPERATOR_SECRETS).where(OPERATOR_SECRETS.c.token_hash == _hashed)
_DELETE_SECRETS = sa.delete(OPERATOR_SECRETS).where(OPERATOR_SECRETS.c.operator_id == _operator)
_LOCK_TOTP = sa.select(OPERATOR_TOTPS).where(OPERATOR_TOTPS.c.operator_id == _operator).with_for_update()
_new_totp = insert(OPERATOR_TOTPS)
_SAVE_TOTP = _new_totp.on_conflict_do_update(
    index_elements=["operator_id"],
    set_={
        column: _new_totp.excluded[column]
        for column in ("sealed_secret", "begun_at", "confirmed_at", "last_counter")
    },
)
_DELETE_TOTP = sa.delete(OPERATOR_TOTPS).where(OPERATOR_TOTPS.c.operator_id == _operator)
_DELETE_CODES = sa.delete(_codes).where(_codes.c.operator_id == _operator)
_INSERT_CODES = sa.insert(_codes)
_unused = sa.and_(_codes.c.operator_id == _operator, _codes.c.used_at.is_(None))
_USE_CODE = sa.update(_codes).where(_unused, _codes.c.code_hash == _hashed).values(used_at=sa.func.now())
_COUNT_CODES = sa.select(sa.func.count()).select_from(_codes).where(_unused)


async def insert_operator(tx: Transaction, operator: Operator) -> None:
    """Keeps a new operator.

    Raises:
        OperatorExists: another one has the address.
    """
    try:
        await tx.execute(_INSERT, asdict(operator))
    except IntegrityError as error:
        if database.constraint(error) == "operators_email_taken":
            raise OperatorExists from error
        raise


async def find_operator(tx: Transaction, email: str) -> Operator | None:
    """Whoever logs in with this address."""
    return _read((await tx.execute(_FIND, {"address": email})).mappings().one_or_none())


async def lock_operator_of(tx: Transaction, email: str) -> Operator | None:
    """The same, whom nobody else changes until the end of `tx`."""
    return _read((await tx.execute(_LOCK_OF_ADDRESS, {"address": email})).mappings().one_or_none())


async def lock_operator(tx: Transaction, operator_id: UUID) -> Operator | None:
    """An operator, whom nobody else changes, and whose codes nobody else tries, until the end of `tx`."""
    return _read((await tx.execute(_LOCK, {"operator": operator_id})).mappings().one_or_none())


async def get_operator(tx: Transaction, operator_id: UUID) -> Operator | None:
    """An operator, to look at."""
    return _read((await tx.execute(_GET, {"operator": operator_id})).mappings().one_or_none())


async def list_operators(tx: Transaction, *, after: str, most: int) -> list[Operator]:
    """Operators by address, from the one after `after`."""
    found = await tx.execute(_LIST, {"after": after, "most": most})
    return [operator for row in found.mappings() if (operator := _read(row))]


async def save_operator(tx: Transaction, operator: Operator) -> None:
    """Keeps the new state of a locked operator."""
    await tx.execute(
        _SAVE,
        {
            "operator": operator.id,
            "password": operator.password_hash,
            "enrolled": operator.enrolled_at,
            "disabled": operator.disabled_at,
            "failed": operator.failed_at,
        },
    )


async def insert_secret(tx: Transaction, secret: OperatorSecret) -> None:
    """Keeps the hash of a secret. Sweeps a few that are over."""
    await sweep(tx, _SWEEP_SECRETS)
    await tx.execute(_INSERT_SECRET, asdict(secret))


async def find_secret(tx: Transaction, token_hash: bytes, purpose: Purpose) -> UUID | None:
    """Whose secret it is, while it holds. To use one up, lock the operator first and look again."""
    found = await tx.execute(_FIND_SECRET, {"hashed": token_hash, "what_for": purpose.value})
    operator_id: UUID | None = found.scalar_one_or_none()
    return operator_id


async def delete_secret(tx: Transaction, token_hash: bytes) -> None:
    """Uses a secret up."""
    await tx.execute(_DELETE_SECRET, {"hashed": token_hash})


async def forget_secrets(tx: Transaction, operator_id: UUID) -> None:
    """Ends all secrets that an operator was given."""
    await tx.execute(_DELETE_SECRETS, {"operator": operator_id})


async def forget_factors(tx: Transaction, operator_id: UUID) -> None:
    """Forgets the authenticator app and the recovery codes."""
    await tx.execute(_DELETE_TOTP, {"operator": operator_id})
    await tx.execute(_DELETE_CODES, {"operator": operator_id})


async def lock_totp(tx: Transaction, operator_id: UUID) -> Totp | None:
    """The authenticator app, confirmed or not, which nobody else changes until the end of `tx`."""
    row = (await tx.execute(_LOCK_TOTP, {"operator": operator_id})).mappings().one_or_none()
    if row is None:
        return None
    values = {name: value for name, value in row.items() if name != "operator_id"}
    return Totp(row["operator_id"], **values)


async def save_totp(tx: Transaction, totp: Totp) -> None:
    """Keeps the app in the place of the one before."""
    values = asdict(totp)
    await tx.execute(_SAVE_TOTP, {"operator_id": values.pop("user_id")} | values)


async def replace_recovery_codes(tx: Transaction, operator_id: UUID, hashes: list[bytes]) -> None:
    """Keeps these codes and forgets all others."""
    await tx.execute(_DELETE_CODES, {"operator": operator_id})
    await tx.execute(_INSERT_CODES, [{"operator_id": operator_id, "code_hash": each} for each in hashes])


async def use_recovery_code(tx: Transaction, operator_id: UUID, hashed: bytes) -> bool:
    """Uses a code up. False when the operator has no such code, or had used it."""
    return (await tx.execute(_USE_CODE, {"operator": operator_id, "hashed": hashed})).rowcount == 1


async def count_recovery_codes(tx: Transaction, operator_id: UUID) -> int:
    """How many codes are left."""
    left: int = (await tx.execute(_COUNT_CODES, {"operator": operator_id})).scalar_one()
    return left


def _read(row: sa.RowMapping | None) -> Operator | None:
    return None if row is None else Operator(**(dict(row) | {"role": OperatorRole(row["role"])}))
