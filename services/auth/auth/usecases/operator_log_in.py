"""How operators log in: a password, then a code. Nothing else opens a session, and nothing resets either."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain import accounts, operators
from auth.domain.accounts import InvalidCredentials, token_hash
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.challenges import ChallengeInvalid, Factor, GivenFactor, OneFactorWanted, SecondFactorWrong
from auth.domain.devices import device_name
from auth.domain.operators import CHALLENGE_LIFETIME, Operator, OperatorSecret, Purpose
from auth.domain.recovery_codes import code_hash
from auth.domain.sessions import EndReason, Session, SessionTokens
from auth.store import audit
from auth.store import operator_sessions as session_store
from auth.store import operators as store
from auth.usecases.guessing import (
    Try,
    compare,
    count_factor,
    count_in_sessions,
    count_try,
    take_factor_back,
    when_there_is_room,
)
from auth.usecases.holding import hold_session
from auth.usecases.new_passwords import hash_new_password
from auth.usecases.operator_sessions import Line, end_sessions, tokens_of
from servicekit import ids, telemetry
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated

_TOTP = b"operator totp"
_log = telemetry.logger(__name__)


async def log_in_operator(app: App, email: str, password: str, *, by: Author) -> tuple[str, int]:
    """The secret of a challenge, and how many seconds it waits. Hashes for unknown addresses, too.

    Whoever is not enrolled, or disabled, is unknown. Counted as log-ins of people are: for the address apart
    from them, by place and of all together with them.

    Raises:
        TooManyAttempts: too many failed lately: see `count_try`.
        InvalidCredentials: no such operator, or another password.
        Unavailable: too many passwords wait to be compared.
    """
    normalised = accounts.normalise_email(email)

    async def count() -> tuple[Operator | None, Try]:
        async with app.db.begin_platform(reason="find an operator by their address") as tx:
            found = await store.find_operator(tx, normalised)
            return found, await count_try(app, tx, f"operator\x00{normalised}", by=by)

    found, counted = await when_there_is_room(count)
    operator = await _compare(app, found, counted, password)
    async with app.db.begin_platform(reason="begin the log-in of an operator") as tx:
        _refuse_changed(await store.lock_operator(tx, operator.id), operator)
        token, secret = OperatorSecret.issue(operator.id, Purpose.LOG_IN, now=tx.now)
        await store.insert_secret(tx, secret)
    return token, int(CHALLENGE_LIFETIME.total_seconds())


async def answer_operator_challenge(
    app: App, challenge: str, given: GivenFactor | None, *, by: Author, user_agent: str
) -> SessionTokens:
    """Opens the session of an operator who has given their password, by a code or a recovery code.

    Raises:
        ChallengeInvalid: no log-in waits with this secret (any more).
        OneFactorWanted: none was given.
        SecondFactorWrong: it is not right, and was counted; the challenge waits on.
        TooManyFactorAttempts: too many were wrong lately.
    """
    if given is None:
        raise OneFactorWanted
    hashed, opened = token_hash(challenge), None
    async with app.db.begin_platform(reason="open the session of an operator") as tx:
        operator_id = await store.find_secret(tx, hashed, Purpose.LOG_IN)
        operator = await store.lock_operator(tx, operator_id) if operator_id else None
        # Looked at again under the lock: of two who answer, the second finds it used up.
        if operator is None or not await store.find_secret(tx, hashed, Purpose.LOG_IN) or not operator.active:
            raise ChallengeInvalid
        method = await check_factor(app, tx, operator, given, by=by)
        if method is not None:
            await store.delete_secret(tx, hashed)
            opened = await _open(app, tx, operator, {"pwd", method}, by=by, user_agent=user_agent)
    if opened is None:
        raise SecondFactorWrong
    return opened


async def reauthenticate_operator(
    app: App, operator_id: UUID, session_id: UUID, *, password: str, code: str, by: Author
) -> SessionTokens:
    """Renews the credentials of the operator's session, by password and code.

    Raises:
        TooManyAttempts, InvalidCredentials, Unavailable: as for `log_in_operator`.
        SecondFactorWrong, TooManyFactorAttempts: as for `answer_operator_challenge`.
        Unauthenticated: the session is over, or not theirs.
    """
    known = await _check_password(app, operator_id, password, by=by)
    renewed = None
    idle = operators.lifetimes(app.lifetimes.access_token).idle
    async with app.db.begin_platform(reason="renew the credentials of an operator") as tx:
        operator = await store.lock_operator(tx, operator_id)
        session = await session_store.lock_session(tx, session_id)
        if operator is None or not operator.active or session is None or session.user_id != operator_id:
            raise Unauthenticated
        _refuse_changed(operator, known)
        method = await check_factor(app, tx, operator, GivenFactor(Factor.TOTP, code), by=by)
        if method is not None:
            session = session.reauthenticate({"pwd", method}, now=tx.now, idle=idle)
            await session_store.save_session(tx, session)
            target, methods = ids.show("ops", session.id), list(session.methods)
            await audit.record(
                tx,
                PLATFORM_CHAIN,
                by,
                Action.SESSION_REAUTHENTICATED,
                target=target,
                after={"methods": methods},
            )
            renewed = tokens_of(app, session, operator)
    if renewed is None:
        raise SecondFactorWrong
    return renewed


async def change_operator_password(
    app: App, operator_id: UUID, session_id: UUID, *, old: str, new: str, by: Author
) -> None:
    """Changes the operator's password and ends their other sessions.

    Raises:
        TooManyAttempts, InvalidCredentials, Unavailable: as for `log_in_operator`.
        PasswordTooCommon: anybody would guess `new`.
    """
    async with app.db.begin_platform(reason="look at the session of an operator") as tx:
        await hold_session(app, tx, by)
    known = await _check_password(app, operator_id, old, by=by)
    hashed = await hash_new_password(app, new, email=known.email, field="/new_password")
    async with app.db.begin_platform(reason="change the password of an operator") as tx:
        operator = await store.lock_operator(tx, operator_id)
        operator = _refuse_changed(operator, known)
        await store.save_operator(tx, replace(operator, password_hash=hashed))
        await store.forget_secrets(tx, operator_id)
        others = [
            each for each in await session_store.lock_sessions(tx, operator_id) if each.id != session_id
        ]
        await hold_session(app, tx, by)
        why = Line(PLATFORM_CHAIN, Action.PASSWORD_CHANGED, ids.show("opr", operator_id))
        await end_sessions(tx, others, reason=EndReason.PASSWORD_CHANGED, by=by, why=why)


async def check_factor(
    app: App, tx: Transaction, operator: Operator, given: GivenFactor, *, by: Author
) -> str | None:
    """How a right factor is called in `amr`; None for a wrong one, which is counted if `tx` commits.

    The operator is locked: their answers are looked at one by one, so guessing in parallel gains nothing.

    Raises:
        TooManyFactorAttempts: too many of theirs or from the place were wrong lately; nothing is looked at.
    """
    operator.attempts.refuse_more(tx.now)
    await count_factor(app, tx, by=by)
    match given.factor:
        case Factor.TOTP:
            method = "otp" if await _accept_code(app, tx, operator.id, given.secret) else None
        case Factor.RECOVERY_CODE:
            used = await store.use_recovery_code(tx, operator.id, code_hash(given.secret))
            method = "rec" if used else None
        case Factor.PASSKEY:
            method = None
    if method is None:
        await store.save_operator(tx, operator.missed(now=tx.now))
        _log.warning("operator_factor_wrong", operator=str(operator.id), factor=given.factor.value)
    else:
        await take_factor_back(app, tx, by=by)
    return method


def bound_to(operator_id: UUID) -> bytes:
    """What the secret of an operator's authenticator app is sealed for."""
    return _TOTP + operator_id.bytes


def _refuse_changed(operator: Operator | None, known: Operator) -> Operator:
    """The locked operator. The password was compared outside: it must still be theirs."""
    if operator is None or not operator.active or operator.password_hash != known.password_hash:
        raise InvalidCredentials
    return operator


async def _check_password(app: App, operator_id: UUID, password: str, *, by: Author) -> Operator:
    """The active operator of a session, whose password it is. Counted in all their sessions together."""
    async with app.db.begin_platform(reason="find the password of an operator") as tx:
        found = await store.get_operator(tx, operator_id)
        if found is None:
            raise Unauthenticated
        counted = await count_in_sessions(app, tx, operator_id, found.password_hash, by=by)
    return await _compare(app, found, counted, password)


async def _compare(app: App, found: Operator | None, counted: Try, password: str) -> Operator:
    """The active operator whose password it is. The same work whether there is one or not."""
    counted.refuse_more()
    known = found if found is not None and found.active else None
    verdict = await compare(app, counted, known.password_hash if known else None, password)
    if known is None or not verdict.fits:
        raise InvalidCredentials
    return known


async def _accept_code(app: App, tx: Transaction, operator_id: UUID, code: str) -> bool:
    totp = await store.lock_totp(tx, operator_id)
    if totp is None or totp.confirmed_at is None:
        return False
    secret = app.seal.open_up(totp.sealed_secret, bound_to=bound_to(operator_id))
    accepted = totp.accept(secret, code, now=tx.now)
    if accepted is None:
        return False
    await store.save_totp(tx, accepted)
    return True


async def _open(
    app: App, tx: Transaction, operator: Operator, methods: Iterable[str], *, by: Author, user_agent: str
) -> SessionTokens:
    session = Session.open(
        ids.new(),
        organization_id=PLATFORM_CHAIN,
        user_id=operator.id,
        methods=methods,
        device=device_name(user_agent),
        address=by.address,
        now=tx.now,
        lifetimes=operators.lifetimes(app.lifetimes.access_token),
    )
    await session_store.insert_session(tx, session)
    author = replace(by, kind=ActorKind.OPERATOR, id=operator.id)
    target = ids.show("ops", session.id)
    said: dict[str, str | int | bool | list[str] | None] = {
        "methods": list(session.methods),
        "device": session.device,
    }
    await audit.record(tx, PLATFORM_CHAIN, author, Action.SESSION_OPENED, target=target, after=said)
    if "rec" in session.methods:
        left = await store.count_recovery_codes(tx, operator.id)
        who = ids.show("opr", operator.id)
        action = Action.RECOVERY_CODE_USED
        await audit.record(tx, PLATFORM_CHAIN, author, action, target=who, after={"left": left})
    return tokens_of(app, session, operator)
