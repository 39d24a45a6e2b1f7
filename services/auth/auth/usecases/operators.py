"""Who operates the platform: how operators come, enrol, and go; by other operators, or by the command."""

from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain import accounts, recovery_codes, totp
from auth.domain.account_mails import AccountMail, MailKind
from auth.domain.accounts import person_name, token_hash
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.operators import (
    EnrolmentInvalid,
    Operator,
    OperatorIsYou,
    OperatorNotFound,
    OperatorRole,
    OperatorSecret,
    Purpose,
)
from auth.domain.sessions import EndReason
from auth.domain.totp import Totp, TotpNotFound
from auth.store import audit
from auth.store import operator_sessions as session_store
from auth.store import operators as store
from auth.usecases.account_mails import ask_for
from auth.usecases.factors import Enrolment
from auth.usecases.holding import hold_session
from auth.usecases.new_passwords import hash_new_password
from auth.usecases.operator_log_in import bound_to
from auth.usecases.operator_sessions import Line, end_sessions
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken, Unauthenticated
from servicekit.paging import Page

_MOST_TOLD = 1000


async def add_operator(
    app: App, *, email: str, display_name: str, role: OperatorRole, by: Author
) -> tuple[Operator, str]:
    """A new operator, and the secret that they enrol with: told once.

    Raises:
        OperatorExists: another one has the address.
        InvalidRequest: the name is blank or holds control characters.
    """
    name, address = person_name(display_name), accounts.normalise_email(email)
    async with app.db.begin_platform(reason="add an operator") as tx:
        await hold_session(app, tx, by)
        operator = Operator(ids.new(), address, name, role, tx.now)
        await _tell_all(tx, by=by)
        await store.insert_operator(tx, operator)
        token = await _issue(tx, operator.id)
        await _record(tx, operator.id, by, Action.OPERATOR_ADDED, role=role.value)
    return operator, token


async def reenrol_operator(app: App, operator_id: UUID, *, by: Author) -> str:
    """Has an operator enrol anew: password, second factor and sessions end at once. Answers the new secret.

    Raises:
        OperatorNotFound: there is none.
        OperatorIsYou: operators do not give themselves another second factor.
        Unauthenticated: the session of the call is over.
    """
    _refuse_self(operator_id, by)
    async with app.db.begin_platform(reason="have an operator enrol anew") as tx:
        operator = await _lock_for(app, tx, operator_id, by=by)
        return await _start_anew(tx, operator, by=by)


async def reenrol_operator_of(app: App, email: str, *, by: Author) -> str:
    """The same, by their address, for the command. Raises OperatorNotFound."""
    async with app.db.begin_platform(reason="have an operator enrol anew") as tx:
        operator = await store.lock_operator_of(tx, accounts.normalise_email(email))
        if operator is None:
            raise OperatorNotFound
        return await _start_anew(tx, operator, by=by)


async def disable_operator(app: App, operator_id: UUID, *, by: Author) -> None:
    """Ends an operator's account with sessions and access. One that is over stays over.

    Raises:
        OperatorNotFound: there is none.
        OperatorIsYou: operators do not disable themselves.
        Unauthenticated: the session of the call is over.
    """
    _refuse_self(operator_id, by)
    async with app.db.begin_platform(reason="disable an operator") as tx:
        operator = await _lock_for(app, tx, operator_id, by=by)
        await _disable(tx, operator, by=by)


async def disable_operator_of(app: App, email: str, *, by: Author) -> None:
    """The same, by their address, for the command. Raises OperatorNotFound."""
    async with app.db.begin_platform(reason="disable an operator") as tx:
        operator = await store.lock_operator_of(tx, accounts.normalise_email(email))
        if operator is None:
            raise OperatorNotFound
        await _disable(tx, operator, by=by)


async def list_operators(app: App, page: Page) -> tuple[list[Operator], str]:
    """All operators by address, and the token of the next page.

    Raises:
        InvalidPageToken: the token holds what is no address.
    """
    after = page.after[0] if page.after else ""
    if not after.isprintable():
        raise InvalidPageToken
    async with app.db.begin_platform(reason="list operators") as tx:
        found = await store.list_operators(tx, after=after, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([shown[-1].email]) if len(found) > page.size else ""


async def get_operator(app: App, operator_id: UUID) -> tuple[Operator, int]:
    """The calling operator, and how many recovery codes they have left.

    Raises:
        Unauthenticated: they are none (any more).
    """
    async with app.db.begin_platform(reason="read the account of an operator") as tx:
        operator = await store.get_operator(tx, operator_id)
        if operator is None or not operator.active:
            raise Unauthenticated
        return operator, await store.count_recovery_codes(tx, operator_id)


async def renew_operator_codes(app: App, operator_id: UUID, *, by: Author) -> list[str]:
    """Ten new recovery codes; the old ones end. Raises Unauthenticated for whoever is none (any more)."""
    async with app.db.begin_platform(reason="renew recovery codes of an operator") as tx:
        operator = await store.lock_operator(tx, operator_id)
        if operator is None or not operator.active:
            raise Unauthenticated
        await hold_session(app, tx, by)
        codes = await _new_codes(tx, operator_id)
        await _tell_all(tx, by=by)
        await _record(tx, operator_id, by, Action.RECOVERY_CODES_RENEWED)
    return codes


async def begin_enrolment(app: App, token: str) -> Enrolment:
    """What the authenticator app of whoever has the secret needs. It counts once `finish_enrolment` does.

    Raises:
        EnrolmentInvalid: the secret does not hold (any more).
    """
    secret = totp.new_secret()
    async with app.db.begin_platform(reason="begin the enrolment of an operator") as tx:
        operator = await _lock_invited(tx, token_hash(token))
        sealed = app.seal.close_up(secret, bound_to=bound_to(operator.id))
        await store.save_totp(tx, Totp(operator.id, sealed, begun_at=tx.now))
    return Enrolment(totp.shown_secret(secret), totp.enrolment_uri(secret, operator.email))


async def finish_enrolment(app: App, token: str, *, password: str, code: str, by: Author) -> list[str]:
    """Has password and authenticator app count, and answers recovery codes. Opens no session.

    Raises:
        EnrolmentInvalid: the secret does not hold (any more).
        TotpNotFound: `begin_enrolment` was not called in the last quarter of an hour.
        CodeWrong: the app shows another code.
        PasswordTooCommon: anybody would guess the password.
        Unavailable: too many passwords wait to be hashed.
    """
    hashed = token_hash(token)
    async with app.db.begin_platform(reason="find the enrolment of an operator") as tx:
        operator = await _lock_invited(tx, hashed)
    password_hash = await hash_new_password(app, password, email=operator.email)
    async with app.db.begin_platform(reason="enrol an operator") as tx:
        operator = await _lock_invited(tx, hashed)
        begun = await store.lock_totp(tx, operator.id)
        if begun is None:
            raise TotpNotFound
        secret = app.seal.open_up(begun.sealed_secret, bound_to=bound_to(operator.id))
        await store.save_totp(tx, begun.confirm(secret, code, now=tx.now))
        await store.save_operator(tx, operator.enrol(password_hash, now=tx.now))
        await store.forget_secrets(tx, operator.id)
        codes = await _new_codes(tx, operator.id)
        author = replace(by, kind=ActorKind.OPERATOR, id=operator.id)
        await _record(tx, operator.id, author, Action.OPERATOR_ENROLLED)
    return codes


async def _lock_for(app: App, tx: Transaction, operator_id: UUID, *, by: Author) -> Operator:
    """An operator whom another one changes: both locked, by their ids, and then the session of the other.

    Raises:
        Unauthenticated: the session of the call is over.
        OperatorNotFound: there is none to change.
    """
    both = {operator_id, by.id} if by.kind is ActorKind.OPERATOR and by.id else {operator_id}
    locked = {each: await store.lock_operator(tx, each) for each in sorted(both)}
    await hold_session(app, tx, by)
    operator = locked[operator_id]
    if operator is None:
        raise OperatorNotFound
    return operator


async def _lock_invited(tx: Transaction, hashed: bytes) -> Operator:
    operator_id = await store.find_secret(tx, hashed, Purpose.ENROLMENT)
    operator = await store.lock_operator(tx, operator_id) if operator_id else None
    # Looked at again under the lock: it may have been used, or replaced, while we waited.
    if operator is None or not await store.find_secret(tx, hashed, Purpose.ENROLMENT):
        raise EnrolmentInvalid
    return operator


async def _issue(tx: Transaction, operator_id: UUID) -> str:
    token, secret = OperatorSecret.issue(operator_id, Purpose.ENROLMENT, now=tx.now)
    await store.insert_secret(tx, secret)
    return token


async def _start_anew(tx: Transaction, operator: Operator, *, by: Author) -> str:
    await _tell_all(tx, by=by)
    await store.save_operator(tx, operator.start_anew())
    await store.forget_secrets(tx, operator.id)
    await store.forget_factors(tx, operator.id)
    token = await _issue(tx, operator.id)
    sessions = await session_store.lock_sessions(tx, operator.id)
    why = Line(PLATFORM_CHAIN, Action.OPERATOR_REENROLLED, ids.show("opr", operator.id))
    await end_sessions(tx, sessions, reason=EndReason.OPERATOR_REENROLLED, by=by, why=why)
    return token


async def _disable(tx: Transaction, operator: Operator, *, by: Author) -> None:
    if operator.disabled_at is not None:
        return
    await _tell_all(tx, by=by)
    await store.save_operator(tx, operator.disable(now=tx.now))
    await store.forget_secrets(tx, operator.id)
    await store.forget_factors(tx, operator.id)
    sessions = await session_store.lock_sessions(tx, operator.id)
    why = Line(PLATFORM_CHAIN, Action.OPERATOR_DISABLED, ids.show("opr", operator.id))
    await end_sessions(tx, sessions, reason=EndReason.OPERATOR_DISABLED, by=by, why=why)


async def _new_codes(tx: Transaction, operator_id: UUID) -> list[str]:
    codes = recovery_codes.new_codes()
    await store.replace_recovery_codes(tx, operator_id, [recovery_codes.code_hash(each) for each in codes])
    return codes


async def _tell_all(tx: Transaction, *, by: Author) -> None:
    """Every operator who can log in hears that somebody comes or goes: nobody does that on the quiet."""
    kind = MailKind.OPERATORS_CHANGED
    for operator in await store.list_operators(tx, after="", most=_MOST_TOLD):
        if operator.active:
            mail = AccountMail(ids.new(), kind, operator.email, tx.now, tx.now + kind.holds)
            mail = replace(mail, display_name=operator.display_name, address=by.address)
            await ask_for(tx, mail)


def _refuse_self(operator_id: UUID, by: Author) -> None:
    if by.kind is ActorKind.OPERATOR and by.id == operator_id:
        raise OperatorIsYou


async def _record(tx: Transaction, operator_id: UUID, by: Author, action: Action, **after: str) -> None:
    target = ids.show("opr", operator_id)
    await audit.record(tx, PLATFORM_CHAIN, by, action, target=target, after=after or None)
