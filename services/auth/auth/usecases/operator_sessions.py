"""The sessions of operators: going on with them and ending them, and the access that was begun in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from auth.app import App
from auth.domain import operators
from auth.domain.audit import PLATFORM_CHAIN, Action, Author, Values
from auth.domain.operator_access import AccessEnd, OperatorAccess
from auth.domain.operators import Operator
from auth.domain.sessions import (
    EndReason,
    RefreshToken,
    RefreshTokenInvalid,
    RefreshTokenReused,
    Session,
    SessionNotFound,
    SessionTokens,
)
from auth.store import audit
from auth.store import operator_accesses as access_store
from auth.store import operator_sessions as store
from auth.store import operators as operator_store
from servicekit import ids, telemetry, timers
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.paging import Page

END_OPERATOR_ACCESS = "end_operator_access"
"""The timer that ends access when its minutes are over."""
_AFTER_ALL = UUID(int=2**128 - 1)
_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be recorded, once all that it speaks of is locked."""

    chain: UUID
    action: Action
    target: str
    after: Values | None = None


async def refresh_operator_session(app: App, refresh_token: str, *, by: Author) -> SessionTokens:
    """The next tokens of an operator's session; see `Session.trade` for who gets which.

    Raises:
        RefreshTokenInvalid: not an operator's, or the session is over.
        RefreshTokenReused: too old: the session is over from now on.
    """
    token = RefreshToken.parse(refresh_token)
    lifetimes = operators.lifetimes(app.lifetimes.access_token)
    async with app.db.begin_platform(reason="refresh the session of an operator") as tx:
        session = await store.lock_session(tx, token.session_id)
        operator = await operator_store.get_operator(tx, session.user_id) if session else None
        if session is None or operator is None or not operator.active:
            raise RefreshTokenInvalid
        token.verify(app.keyring.refresh_keys(session))
        traded = session.trade(token.counter, now=tx.now, idle=lifetimes.idle)
        if traded.ended_at is None:
            await store.save_session(tx, traded)
        else:
            await end_sessions(tx, [session], reason=EndReason.TOKEN_REUSED, by=by)
    if traded.ended_at is not None:
        _log.warning("operator_refresh_token_reused", session=str(session.id))
        raise RefreshTokenReused
    return tokens_of(app, traded, operator)


def tokens_of(app: App, session: Session, operator: Operator) -> SessionTokens:
    """The newest tokens of an operator's session, as of its last use. None outlives it."""
    lifetime = operators.lifetimes(app.lifetimes.access_token).access_token
    now = session.last_used_at
    holds = min(lifetime, session.expires_at - now)
    return SessionTokens(
        access_token=app.keyring.operator_token(session, operator.grant, now=now, lifetime=holds),
        refresh_token=app.keyring.refresh_token(session),
        expires_in=int(holds.total_seconds()),
    )


async def list_operator_sessions(app: App, operator_id: UUID, page: Page) -> tuple[list[Session], str]:
    """The sessions of the operator that hold, the newest first, and the token of the next page.

    Raises:
        InvalidPageToken: the token holds no session's id.
    """
    idle = operators.lifetimes(app.lifetimes.access_token).idle
    before = page_id(page, _AFTER_ALL)
    async with app.db.begin_platform(reason="list the sessions of an operator") as tx:
        found = await store.list_sessions(tx, operator_id, idle=idle, before=before, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].id)]) if len(found) > page.size else ""


async def end_operator_session(
    app: App, operator_id: UUID, session_id: UUID, *, reason: EndReason, by: Author
) -> None:
    """Ends a session of the operator, and the access that was begun in it. One that is over stays as it is.

    Raises:
        SessionNotFound: there is none, or it is somebody else's.
    """
    async with app.db.begin_platform(reason="end a session of an operator") as tx:
        session = await store.lock_session(tx, session_id)
        if session is None or session.user_id != operator_id:
            raise SessionNotFound
        await end_sessions(tx, [session], reason=reason, by=by)


async def end_sessions(
    tx: Transaction, sessions: Iterable[Session], *, reason: EndReason, by: Author, why: Line | None = None
) -> None:
    """Ends locked sessions with the access that was begun in them, as the last part of `tx`: it records.

    `why` is recorded before them.
    """
    held = [each for each in sessions if each.ended_at is None]
    for session in held:
        await store.save_session(tx, session.end(tx.now, reason))
    action = Action.SESSION_CLOSED if reason is EndReason.LOGGED_OUT else Action.SESSION_REVOKED
    lines = [
        Line(PLATFORM_CHAIN, action, ids.show("ops", each.id), {"reason": reason.value}) for each in held
    ]
    accesses = await access_store.lock_accesses_of(tx, [each.id for each in held])
    ended = await _end_all(tx, accesses, AccessEnd.SESSION_ENDED)
    await _record(tx, by, [*([why] if why else []), *lines, *ended])


async def end_access(tx: Transaction, access: OperatorAccess, reason: AccessEnd, *, by: Author) -> None:
    """Ends a locked access in both audit logs, as the last part of `tx`. One that is over stays as it is."""
    await _record(tx, by, await _end_all(tx, [access], reason))


def page_id(page: Page, default: UUID) -> UUID:
    """The id after which a page begins.

    Raises:
        InvalidPageToken: the token holds none.
    """
    try:
        return UUID(page.after[0]) if page.after else default
    except ValueError:
        raise InvalidPageToken from None


async def _end_all(tx: Transaction, accesses: Sequence[OperatorAccess], reason: AccessEnd) -> list[Line]:
    lines: list[Line] = []
    for access in accesses:
        if access.ended_at is not None:
            continue
        await access_store.end_access(tx, access.end(reason, now=tx.now))
        await timers.cancel(tx, END_OPERATOR_ACCESS, str(access.id))
        target = ids.show("acc", access.id)
        said = {"reason": reason.value, "operator": ids.show("opr", access.operator_id)}
        of = {"organization": ids.show("org", access.organization_id)}
        lines.append(Line(PLATFORM_CHAIN, Action.OPERATOR_ACCESS_ENDED, target, said | of))
        lines.append(Line(access.organization_id, Action.OPERATOR_ACCESS_ENDED, target, said))
    return lines


async def _record(tx: Transaction, by: Author, lines: Iterable[Line]) -> None:
    for line in sorted(lines, key=lambda each: each.chain):
        await audit.record(tx, line.chain, by, line.action, target=line.target, after=line.after)
