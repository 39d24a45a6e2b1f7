"""What people do with the sessions they have: look, end them, prove anew who they are.

A person may have sessions in many organizations, so these are platform transactions.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from auth.app import App
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import Action, Author
from auth.domain.challenges import Factor, GivenFactor, SecondFactorRequired, SecondFactorWrong
from auth.domain.sessions import EndReason, Session, SessionNotFound, SessionTokens
from auth.store import accounts as account_store
from auth.store import audit
from auth.store import challenges as challenge_store
from auth.store import factors as factor_store
from auth.store import sessions as store
from auth.usecases.ended_sessions import end_locked, forget_address_change
from auth.usecases.guessing import compare, count_in_sessions
from auth.usecases.second_factors import check_factor
from auth.usecases.sessions import hold_password, tokens_of
from servicekit import ids
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken, Unauthenticated
from servicekit.paging import Page

_AFTER_ALL = UUID(int=2**128 - 1)
_LATE = timedelta(minutes=1)
"""How long a gateway may take to ask for what was revoked while it started."""


async def list_sessions(
    app: App, user_id: UUID, page: Page, *, within: UUID | None = None
) -> tuple[list[Session], str]:
    """The sessions of the user that hold, the newest first, and the token of the next page.

    `within`: those in this organization alone.

    Raises:
        InvalidPageToken: the token holds no session's id.
    """
    before = _id(page.after[0]) if page.after else _AFTER_ALL
    async with app.db.begin_platform(reason="list the caller's sessions") as tx:
        found = await store.list_sessions(
            tx, user_id, idle=app.lifetimes.idle, before=before, most=page.size + 1, within=within
        )
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].id)]) if len(found) > page.size else ""


async def end_session(
    app: App,
    user_id: UUID,
    session_id: UUID,
    *,
    reason: EndReason,
    by: Author,
    within: UUID | None = None,
) -> None:
    """Ends a session of the user. One that is over stays as it is.

    Unless they log out of it, it voids a change of address that is not confirmed.

    Raises:
        SessionNotFound: there is none, or it is somebody else's, or not within this organization.
    """
    async with app.db.begin_platform(reason="end the caller's session") as tx:
        if reason is not EndReason.LOGGED_OUT:
            await forget_address_change(tx, user_id)
        found = await store.lock_session(tx, session_id)
        if found is None or found[0].user_id != user_id:
            raise SessionNotFound
        if within is not None and found[0].organization_id != within:
            raise SessionNotFound
        await end_locked(tx, [found[0]], reason=reason, by=by)


async def log_out_everywhere(app: App, user_id: UUID, *, keep: UUID | None, by: Author) -> int:
    """Ends all sessions of the user but `keep`, forgets devices, and voids an unconfirmed change of address.

    Answers how many sessions still held.
    """
    async with app.db.begin_platform(reason="end the caller's sessions") as tx:
        await challenge_store.forget_second_steps(tx, user_id)
        await forget_address_change(tx, user_id)
        return await end_sessions(app, tx, user_id, reason=EndReason.LOGGED_OUT_EVERYWHERE, by=by, keep=keep)


async def end_sessions(
    app: App, tx: Transaction, user_id: UUID, *, reason: EndReason, by: Author, keep: UUID | None = None
) -> int:
    """The same within a platform transaction, as its last part: it records."""
    found = [each for each in await store.lock_sessions(tx, user_id) if each.id != keep]
    await end_locked(tx, found, reason=reason, by=by)
    return sum(each.holds(now=tx.now, idle=app.lifetimes.idle) for each in found)


async def reauthenticate(
    app: App, user_id: UUID, session_id: UUID, *, password: str, by: Author, factor: GivenFactor | None = None
) -> SessionTokens:
    """Renews the credentials of the user's session.

    By their password and, if they have one, a second factor; or by a passkey alone, without password.
    Passwords are counted for the person in all their sessions: at log-ins they lock nobody out.

    Raises:
        TooManyAttempts: as for log_in.
        InvalidCredentials: another password, or another one by now, or none and no passkey.
        SecondFactorRequired: the password is right, and a second factor is wanted.
        SecondFactorWrong: it is not right, and was counted.
        TooManyFactorAttempts: too many were wrong lately.
        Unauthenticated: the session is over, or not theirs.
        Unavailable: too many passwords wait to be compared.
    """
    methods: set[str] = set()
    compared: str | None = None
    by_passkey = factor is not None and factor.factor is Factor.PASSKEY
    if password or not by_passkey:
        compared = await _check_password(app, user_id, password, by=by)
        methods.add("pwd")
    renewed = None
    async with app.db.begin_platform(reason="renew the caller's credentials") as tx:
        if compared is not None:
            await hold_password(tx, user_id, compared)
        found = await store.lock_session(tx, session_id)
        if found is None or found[0].user_id != user_id:
            raise Unauthenticated
        if factor is None and await factor_store.list_factors(tx, user_id):
            raise SecondFactorRequired
        method = await check_factor(app, tx, user_id, factor, by=by) if factor is not None else None
        if factor is None or method is not None:
            given = methods | {method} if method is not None else methods
            session = found[0].reauthenticate(given, now=tx.now, idle=app.lifetimes.idle)
            await store.save_session(tx, session)
            await _record_renewal(tx, session, by=by)
            renewed = tokens_of(app, session, found[1], now=session.last_used_at)
    if renewed is None:
        raise SecondFactorWrong
    return renewed


async def _check_password(app: App, user_id: UUID, password: str, *, by: Author) -> str:
    """The hash that the right password was compared with."""
    async with app.db.begin_platform(reason="find the caller's password") as tx:
        user = await account_store.find_user(tx, user_id)
        if user is None:
            raise Unauthenticated
        _, password_hash = user
        counted = await count_in_sessions(app, tx, user_id, password_hash, by=by)
    counted.refuse_more()
    if not (await compare(app, counted, password_hash, password)).fits:
        raise InvalidCredentials
    return password_hash


async def _record_renewal(tx: Transaction, session: Session, *, by: Author) -> None:
    await audit.record(
        tx,
        session.organization_id,
        by,
        Action.SESSION_REAUTHENTICATED,
        target=ids.show("ses", session.id),
        after={"methods": list(session.methods)},
    )


async def list_revocations(app: App, since: datetime | None) -> tuple[Sequence[UUID], datetime]:
    """What was revoked since then, or as long ago as an access token holds; and when we looked."""
    async with app.db.begin_platform(reason="tell gateways what was revoked") as tx:
        earliest = since or tx.now - app.lifetimes.access_token - _LATE
        return await store.list_revocations(tx, earliest), tx.now


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidPageToken from None
