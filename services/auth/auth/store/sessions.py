"""Sessions. A tenant's transaction sees its own; refreshing, which knows no tenant yet, is a platform one."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa

from auth.domain.sessions import Session
from auth.tables import MEMBERSHIPS, SESSIONS
from servicekit.database import Transaction

_INSERT = sa.insert(SESSIONS)
_LOCK = (
    sa.select(SESSIONS, MEMBERSHIPS.c.role)
    .select_from(SESSIONS.join(MEMBERSHIPS))
    .where(SESSIONS.c.id == sa.bindparam("session", type_=sa.Uuid))
    .with_for_update(of=SESSIONS)
)
_SAVE = (
    sa.update(SESSIONS)
    .where(SESSIONS.c.id == sa.bindparam("session", type_=sa.Uuid))
    .values(
        counter=sa.bindparam("newest", type_=sa.BigInteger),
        last_used_at=sa.bindparam("used", type_=sa.DateTime(timezone=True)),
        ended_at=sa.bindparam("ended", type_=sa.DateTime(timezone=True)),
    )
)


async def insert_session(tx: Transaction, session: Session) -> None:
    """Keeps a new session."""
    await tx.execute(_INSERT, asdict(session))


async def lock_session(tx: Transaction, session_id: UUID) -> tuple[Session, str] | None:
    """A session, which nobody else changes until the end of `tx`, and the role its user has by now."""
    row = (await tx.execute(_LOCK, {"session": session_id})).mappings().one_or_none()
    if row is None:
        return None
    values = {str(name): value for name, value in row.items()}
    role: str = values.pop("role")
    return Session(**values), role


async def save_session(tx: Transaction, session: Session) -> None:
    """Keeps the new state of a locked session."""
    await tx.execute(
        _SAVE,
        {
            "session": session.id,
            "newest": session.counter,
            "used": session.last_used_at,
            "ended": session.ended_at,
        },
    )
