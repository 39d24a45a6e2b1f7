"""The sessions of operators, read as sessions of the platform's own chain. Platform transactions only."""

from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from auth.domain.audit import PLATFORM_CHAIN
from auth.domain.sessions import EndReason, Session
from auth.store.sessions import revoke
from auth.tables import OPERATOR_SESSIONS
from servicekit.database import Transaction

_MOMENT = sa.DateTime(timezone=True)
_operator = OPERATOR_SESSIONS.c.operator_id == sa.bindparam("operator", type_=sa.Uuid)
_of_id = OPERATOR_SESSIONS.c.id == sa.bindparam("session", type_=sa.Uuid)

_INSERT = sa.insert(OPERATOR_SESSIONS)
_LOCK = sa.select(OPERATOR_SESSIONS).where(_of_id).with_for_update()
# In the order of their ids, so that two who end the same ones do not wait for each other in a circle.
_LOCK_ALL = (
    sa.select(OPERATOR_SESSIONS)
    .where(_operator, OPERATOR_SESSIONS.c.ended_at.is_(None))
    .order_by(OPERATOR_SESSIONS.c.id)
    .with_for_update()
)
_LIST = (
    sa.select(OPERATOR_SESSIONS)
    .where(
        _operator,
        OPERATOR_SESSIONS.c.ended_at.is_(None),
        OPERATOR_SESSIONS.c.expires_at > sa.func.now(),
        OPERATOR_SESSIONS.c.last_used_at > sa.func.now() - sa.bindparam("idle", type_=sa.Interval),
        OPERATOR_SESSIONS.c.id < sa.bindparam("before", type_=sa.Uuid),
    )
    .order_by(OPERATOR_SESSIONS.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_SAVE = (
    sa.update(OPERATOR_SESSIONS)
    .where(_of_id)
    .values(
        counter=sa.bindparam("newest", type_=sa.BigInteger),
        stepped_at=sa.bindparam("stepped", type_=_MOMENT),
        forgiven=sa.bindparam("oldest", type_=sa.BigInteger),
        last_used_at=sa.bindparam("used", type_=_MOMENT),
        methods=sa.bindparam("given", type_=OPERATOR_SESSIONS.c.methods.type),
        authenticated_at=sa.bindparam("authenticated", type_=_MOMENT),
        ended_at=sa.bindparam("ended", type_=_MOMENT),
        end_reason=sa.bindparam("why", type_=sa.Text),
    )
)


async def insert_session(tx: Transaction, session: Session) -> None:
    """Keeps a new session."""
    values = asdict(session)
    del values["organization_id"], values["connection_id"]
    await tx.execute(_INSERT, {"operator_id": values.pop("user_id")} | values)


async def lock_session(tx: Transaction, session_id: UUID) -> Session | None:
    """A session, which nobody else changes until the end of `tx`."""
    row = (await tx.execute(_LOCK, {"session": session_id})).mappings().one_or_none()
    return _session(row) if row is not None else None


async def lock_sessions(tx: Transaction, operator_id: UUID) -> list[Session]:
    """All sessions of an operator that were not ended, locked as by `lock_session`."""
    found = await tx.execute(_LOCK_ALL, {"operator": operator_id})
    return [_session(row) for row in found.mappings()]


async def list_sessions(
    tx: Transaction, operator_id: UUID, *, idle: timedelta, before: UUID, most: int
) -> list[Session]:
    """The sessions of an operator that hold, the newest first, from the one opened before `before`."""
    asked = {"operator": operator_id, "idle": idle, "before": before, "most": most}
    return [_session(row) for row in (await tx.execute(_LIST, asked)).mappings()]


async def save_session(tx: Transaction, session: Session) -> None:
    """Keeps the new state of a locked session. One that was ended is revoked: its access tokens end soon."""
    await tx.execute(
        _SAVE,
        {
            "session": session.id,
            "newest": session.counter,
            "stepped": session.stepped_at,
            "oldest": session.forgiven,
            "used": session.last_used_at,
            "given": session.methods,
            "authenticated": session.authenticated_at,
            "ended": session.ended_at,
            "why": session.end_reason,
        },
    )
    if session.ended_at is not None:
        await revoke(tx, session.id, organization_id=PLATFORM_CHAIN)


def _session(row: sa.RowMapping) -> Session:
    values = {str(name): value for name, value in row.items()}
    why = values["end_reason"]
    values["user_id"] = values.pop("operator_id")
    values["end_reason"] = EndReason(why) if why else None
    return Session(**values, organization_id=PLATFORM_CHAIN)
