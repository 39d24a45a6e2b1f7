"""Whether the session that a call came in still holds, asked under its lock: what it gives outlasts it.

Gateways learn of an ended session within seconds. What opens an account or gives rights does not wait.
"""

from auth.app import App
from auth.domain import operators
from auth.domain.audit import ActorKind, Author
from auth.store import operator_sessions, sessions
from servicekit.database import Transaction
from servicekit.errors import Unauthenticated


async def hold_session(app: App, tx: Transaction, by: Author) -> None:
    """Keeps the session of a call from ending until the end of `tx`. Keys and commands have none.

    Whoever locks memberships in `tx`, or other sessions of the same person, does that first: sessions all in
    the order of their ids.

    Raises:
        Unauthenticated: it is over, or not theirs.
    """
    if by.session is None:
        return
    if by.kind is ActorKind.OPERATOR:
        session = await operator_sessions.lock_session(tx, by.session)
        idle = operators.lifetimes(app.lifetimes.access_token).idle
    else:
        found = await sessions.lock_session(tx, by.session)
        session, idle = found[0] if found else None, app.lifetimes.idle
    if session is None or session.user_id != by.id or not session.holds(now=tx.now, idle=idle):
        raise Unauthenticated
