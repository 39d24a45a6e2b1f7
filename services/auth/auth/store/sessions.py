"""Sessions and revocations. A tenant's transaction sees its own; what knows no tenant is a platform one."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from auth.domain.members import NoOrganization
from auth.domain.roles import Grant
from auth.domain.sessions import EndReason, Session
from auth.store.grants import GRANT_COLUMNS, ROLE_OF_MEMBER, grant_of
from auth.tables import CONNECTION_DOMAINS, MEMBERSHIPS, REVOCATIONS, ROLES, SESSIONS, USERS
from servicekit import database
from servicekit.database import Transaction
from servicekit.permissions import BY_CONNECTION
from servicekit.purging import deletion, sweep

_REVOCATIONS_KEPT = timedelta(hours=2)
"""Longer than any access token may hold."""
_MOMENT = sa.DateTime(timezone=True)
_CLOCK = sa.func.clock_timestamp()
_of_user = SESSIONS.c.user_id == sa.bindparam("user", type_=sa.Uuid)
_within = sa.bindparam("within", type_=sa.Uuid)
_granted = sa.select(SESSIONS, *GRANT_COLUMNS).select_from(
    SESSIONS.join(MEMBERSHIPS).outerjoin(ROLES, ROLE_OF_MEMBER)
)
_holds = sa.and_(
    SESSIONS.c.ended_at.is_(None),
    SESSIONS.c.expires_at > sa.func.now(),
    SESSIONS.c.last_used_at > sa.func.now() - sa.bindparam("idle", type_=sa.Interval),
)

_INSERT = sa.insert(SESSIONS)
_LOCK = _granted.where(SESSIONS.c.id == sa.bindparam("session", type_=sa.Uuid)).with_for_update(of=SESSIONS)
_LIST = (
    sa.select(SESSIONS)
    .select_from(SESSIONS.join(MEMBERSHIPS))
    .where(
        _of_user,
        _holds,
        SESSIONS.c.organization_id == sa.func.coalesce(_within, SESSIONS.c.organization_id),
        SESSIONS.c.id < sa.bindparam("before", type_=sa.Uuid),
    )
    .order_by(SESSIONS.c.id.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
# In the order of their ids, so that two who end the same ones do not wait for each other in a circle.
_LOCK_ALL = (
    sa.select(SESSIONS)
    .where(_of_user, SESSIONS.c.ended_at.is_(None))
    .order_by(SESSIONS.c.id)
    .with_for_update()
)
_LOCK_IN_ORGANIZATION = _LOCK_ALL.where(
    SESSIONS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid)
)
# Whether the connection of a session, or any of its organization if it does not say which, has the domain of
# its person's address. A domain is of one connection, so another one that speaks for them unmakes it.
_vouched = (
    sa.select(CONNECTION_DOMAINS.c.domain)
    .join(USERS, CONNECTION_DOMAINS.c.domain == sa.func.split_part(USERS.c.email, "@", 2))
    .where(
        USERS.c.id == SESSIONS.c.user_id,
        CONNECTION_DOMAINS.c.organization_id == SESSIONS.c.organization_id,
        CONNECTION_DOMAINS.c.connection_id
        == sa.func.coalesce(SESSIONS.c.connection_id, CONNECTION_DOMAINS.c.connection_id),
        CONNECTION_DOMAINS.c.verified_at.is_not(None),
    )
    .correlate(SESSIONS)
    .exists()
)
_VOUCHED = sa.select(_vouched).where(SESSIONS.c.id == sa.bindparam("session", type_=sa.Uuid))
_LOCK_UNVOUCHED = (
    sa.select(SESSIONS)
    .where(
        SESSIONS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        SESSIONS.c.ended_at.is_(None),
        SESSIONS.c.connection_id.is_not(None) | (SESSIONS.c.methods.any_() == BY_CONNECTION),
        ~_vouched,
    )
    .order_by(SESSIONS.c.id)
    .with_for_update(of=SESSIONS)
)
# Sessions of before do not say which connection it was: it may have been this one.
_LOCK_OPENED = (
    sa.select(SESSIONS)
    .where(
        SESSIONS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        SESSIONS.c.ended_at.is_(None),
        (SESSIONS.c.connection_id == sa.bindparam("connection", type_=sa.Uuid))
        | (SESSIONS.c.connection_id.is_(None) & (SESSIONS.c.methods.any_() == BY_CONNECTION)),
    )
    .order_by(SESSIONS.c.id)
    .with_for_update()
)
_SAVE = (
    sa.update(SESSIONS)
    .where(SESSIONS.c.id == sa.bindparam("session", type_=sa.Uuid))
    .values(
        counter=sa.bindparam("newest", type_=sa.BigInteger),
        stepped_at=sa.bindparam("stepped", type_=_MOMENT),
        forgiven=sa.bindparam("oldest", type_=sa.BigInteger),
        last_used_at=sa.bindparam("used", type_=_MOMENT),
        methods=sa.bindparam("given", type_=SESSIONS.c.methods.type),
        authenticated_at=sa.bindparam("authenticated", type_=_MOMENT),
        ended_at=sa.bindparam("ended", type_=_MOMENT),
        end_reason=sa.bindparam("why", type_=sa.Text),
    )
)
_REVOKE = (
    insert(REVOCATIONS)
    .values(id=sa.bindparam("revoked", type_=sa.Uuid), organization_id=sa.bindparam("tenant", type_=sa.Uuid))
    .on_conflict_do_nothing(index_elements=["id"])
)
_SWEEP = deletion(
    REVOCATIONS, REVOCATIONS.c.revoked_at < _CLOCK - _REVOCATIONS_KEPT, oldest=REVOCATIONS.c.revoked_at
)
_LIST_REVOKED = sa.select(REVOCATIONS.c.id).where(
    REVOCATIONS.c.revoked_at >= sa.bindparam("since", type_=_MOMENT)
)


async def insert_session(tx: Transaction, session: Session) -> None:
    """Keeps a new session.

    Raises:
        NoOrganization: the membership has just ended.
    """
    try:
        await tx.execute(_INSERT, asdict(session))
    except IntegrityError as error:
        if database.constraint(error) == "sessions_of_membership":
            raise NoOrganization from error
        raise


async def lock_session(tx: Transaction, session_id: UUID) -> tuple[Session, Grant] | None:
    """A session, which nobody else changes until the end of `tx`, and what its user may do by now."""
    row = (await tx.execute(_LOCK, {"session": session_id})).mappings().one_or_none()
    if row is None:
        return None
    grant = grant_of(row)
    values = {str(name): value for name, value in row.items()}
    for column in GRANT_COLUMNS:
        del values[column.name]
    return _session(values), grant


async def list_sessions(
    tx: Transaction, user_id: UUID, *, idle: timedelta, before: UUID, most: int, within: UUID | None
) -> list[Session]:
    """The sessions of a person that hold, the newest first, from the one opened before `before`.

    `within`: those in this organization alone.
    """
    asked = {"user": user_id, "idle": idle, "before": before, "most": most, "within": within}
    found = await tx.execute(_LIST, asked)
    return [_session(dict(row)) for row in found.mappings()]


async def lock_sessions(tx: Transaction, user_id: UUID) -> list[Session]:
    """All sessions of a person that were not ended, locked as by `lock_session`."""
    return [_session(dict(row)) for row in (await tx.execute(_LOCK_ALL, {"user": user_id})).mappings()]


async def lock_sessions_in(tx: Transaction, organization_id: UUID, user_id: UUID) -> list[Session]:
    """Those of them that are in one organization."""
    found = await tx.execute(_LOCK_IN_ORGANIZATION, {"organization": organization_id, "user": user_id})
    return [_session(dict(row)) for row in found.mappings()]


async def is_vouched(tx: Transaction, session: Session) -> bool:
    """Whether the connection that a locked session was opened by still speaks for its person's address."""
    return bool((await tx.execute(_VOUCHED, {"session": session.id})).scalar_one())


async def lock_unvouched(tx: Transaction, organization_id: UUID) -> list[Session]:
    """The sessions of an organization that were opened by a connection which does not any more, locked.

    For platform transactions: a tenant's sees no addresses.
    """
    found = await tx.execute(_LOCK_UNVOUCHED, {"organization": organization_id})
    return [_session(dict(row)) for row in found.mappings()]


async def lock_opened_by(tx: Transaction, organization_id: UUID, connection_id: UUID) -> list[Session]:
    """The sessions of an organization that a connection has opened, locked."""
    asked = {"organization": organization_id, "connection": connection_id}
    return [_session(dict(row)) for row in (await tx.execute(_LOCK_OPENED, asked)).mappings()]


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
        await revoke(tx, session.id, organization_id=session.organization_id)


async def revoke(tx: Transaction, credential_id: UUID, *, organization_id: UUID) -> None:
    """Has the gateways refuse whoever carries this session or key. Sweeps a few revocations that are over."""
    await sweep(tx, _SWEEP)
    await tx.execute(_REVOKE, {"revoked": credential_id, "tenant": organization_id})


async def list_revocations(tx: Transaction, since: datetime) -> Sequence[UUID]:
    """What was revoked since then, in no order."""
    return (await tx.execute(_LIST_REVOKED, {"since": since})).scalars().all()


def _session(values: dict[str, object]) -> Session:
    why = values["end_reason"]
    return Session(**(values | {"end_reason": EndReason(str(why)) if why else None}))  # type: ignore[arg-type]
