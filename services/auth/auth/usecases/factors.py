"""Authenticator apps and recovery codes of the caller. RPCs want fresh credentials; changes are mailed."""

from dataclasses import dataclass
from uuid import UUID

from auth.app import App
from auth.domain import recovery_codes, totp
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, Author
from auth.domain.challenges import Factor
from auth.domain.people import User
from auth.domain.recovery_codes import NoSecondFactor
from auth.domain.totp import Totp, TotpExists, TotpNotFound
from auth.store import audit
from auth.store import challenges as challenge_store
from auth.store import factors as store
from auth.store import people as people_store
from auth.usecases.account_mails import write_to
from auth.usecases.holding import hold_session
from auth.usecases.second_factors import bound_to
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated


@dataclass(frozen=True, slots=True)
class FactorSummary:
    """Which factors somebody has."""

    totp: bool
    passkeys: int
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs. Told once."""

    secret: str
    uri: str


async def get_factors(app: App, user_id: UUID) -> FactorSummary:
    """Which factors the user has."""
    async with app.db.begin_platform(reason="read the caller's factors") as tx:
        return FactorSummary(*await store.count_factors(tx, user_id))


async def begin_totp(app: App, user_id: UUID, *, by: Author) -> Enrolment:
    """Makes a secret for an authenticator app, which counts once a code confirms it.

    Raises:
        TotpExists: there is one already.
        Unauthenticated: there is no such user (any more), or the session of the call is over.
    """
    secret = totp.new_secret()
    async with app.db.begin_platform(reason="begin with an authenticator app") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        kept = await store.lock_totp(tx, user_id)
        if kept is not None and kept.confirmed_at is not None:
            raise TotpExists
        sealed = app.seal.close_up(secret, bound_to=bound_to(user_id))
        await store.save_totp(tx, Totp(user_id, sealed, begun_at=tx.now))
    return Enrolment(totp.shown_secret(secret), totp.enrolment_uri(secret, user.email))


async def confirm_totp(app: App, user_id: UUID, code: str, *, by: Author) -> list[str]:
    """Has the authenticator app count. Answers new recovery codes when the user had none.

    Raises:
        TotpNotFound: none was begun in the last quarter of an hour.
        TotpExists: it counts already.
        CodeWrong: another code.
    """
    async with app.db.begin_platform(reason="confirm an authenticator app") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        kept = await store.lock_totp(tx, user_id)
        if kept is None:
            raise TotpNotFound
        secret = app.seal.open_up(kept.sealed_secret, bound_to=bound_to(user_id))
        await store.save_totp(tx, kept.confirm(secret, code, now=tx.now))
        codes = await first_recovery_codes(tx, user_id)
        await write_to(tx, MailKind.TOTP_ADDED, user, address=by.address)
        await record(tx, user_id, by, Action.FACTOR_ADDED, Factor.TOTP)
    return codes


async def remove_totp(app: App, user_id: UUID, *, by: Author) -> None:
    """Forgets the authenticator app.

    Raises:
        TotpNotFound: there is none that counts.
    """
    async with app.db.begin_platform(reason="remove an authenticator app") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        kept = await store.lock_totp(tx, user_id)
        if kept is None or kept.confirmed_at is None:
            raise TotpNotFound
        await store.delete_totp(tx, user_id)
        await forget_what_stood_in(tx, user_id)
        await write_to(tx, MailKind.TOTP_REMOVED, user, address=by.address)
        await record(tx, user_id, by, Action.FACTOR_REMOVED, Factor.TOTP)


async def renew_recovery_codes(app: App, user_id: UUID, *, by: Author) -> list[str]:
    """Ten new recovery codes; the old ones end.

    Raises:
        NoSecondFactor: there is nothing that they could stand in for.
    """
    async with app.db.begin_platform(reason="renew recovery codes") as tx:
        user = await lock_user(app, tx, user_id, by=by)
        if not await store.list_factors(tx, user_id):
            raise NoSecondFactor
        codes = await _new_codes(tx, user_id)
        await write_to(tx, MailKind.RECOVERY_CODES_RENEWED, user, address=by.address)
        await record(tx, user_id, by, Action.RECOVERY_CODES_RENEWED)
    return codes


async def lock_user(app: App, tx: Transaction, user_id: UUID, *, by: Author) -> User:
    """The user, whose factors nobody else changes until the end of `tx`, and whose session does not end.

    Raises:
        Unauthenticated: there is no such user (any more), or the session of the call is over.
    """
    user = await people_store.lock_user(tx, user_id)
    if user is None:
        raise Unauthenticated
    await hold_session(app, tx, by)
    return user


async def first_recovery_codes(tx: Transaction, user_id: UUID) -> list[str]:
    """Recovery codes for whoever has just added their first factor; none for others."""
    return [] if await store.has_recovery_codes(tx, user_id) else await _new_codes(tx, user_id)


async def forget_what_stood_in(tx: Transaction, user_id: UUID) -> None:
    """With the last factor go its recovery codes. Devices are to give again what is left, in any case."""
    if not await store.list_factors(tx, user_id):
        await store.replace_recovery_codes(tx, user_id, [])
    await challenge_store.forget_second_steps(tx, user_id)


async def record(
    tx: Transaction, user_id: UUID, by: Author, action: Action, factor: Factor | None = None
) -> None:
    """Records a change of somebody's factors, who may be in many organizations, for the platform."""
    after = {"factor": factor.value} if factor else None
    await audit.record(tx, PLATFORM_CHAIN, by, action, target=ids.show("usr", user_id), after=after)


async def _new_codes(tx: Transaction, user_id: UUID) -> list[str]:
    codes = recovery_codes.new_codes()
    await store.replace_recovery_codes(tx, user_id, [recovery_codes.code_hash(code) for code in codes])
    return codes
