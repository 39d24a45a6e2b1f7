"""Operators' access to organizations, and the organizations as operators find them."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa

from auth.domain.operator_access import AccessEnd, FoundOrganization, OperatorAccess
from auth.store.sessions import revoke
from auth.tables import OPERATOR_ACCESSES, ORGANIZATIONS
from servicekit.database import Transaction

_columns = OPERATOR_ACCESSES.c
_of_id = _columns.id == sa.bindparam("access", type_=sa.Uuid)
_most = sa.bindparam("most", type_=sa.Integer)
_before = _columns.id < sa.bindparam("before", type_=sa.Uuid)
_newest_first = _columns.id.desc()

_INSERT = sa.insert(OPERATOR_ACCESSES)
_GET = sa.select(OPERATOR_ACCESSES).where(_of_id)
_LOCK = _GET.with_for_update()
_LOCK_OF_SESSIONS = (
    sa.select(OPERATOR_ACCESSES)
    .where(
        _columns.session_id == sa.any_(sa.bindparam("sessions", type_=sa.ARRAY(sa.Uuid))),
        _columns.ended_at.is_(None),
    )
    .order_by(_columns.id)
    .with_for_update()
)
_END = (
    sa.update(OPERATOR_ACCESSES)
    .where(_of_id)
    .values(
        ended_at=sa.bindparam("ended", type_=_columns.ended_at.type),
        end_reason=sa.bindparam("why", type_=sa.Text),
    )
)
_LIST = sa.select(OPERATOR_ACCESSES).where(_before).order_by(_newest_first).limit(_most)
_LIST_OF_ORGANIZATION = _LIST.where(_columns.organization_id == sa.bindparam("organization", type_=sa.Uuid))
_summary = (ORGANIZATIONS.c.id, ORGANIZATIONS.c.name, ORGANIZATIONS.c.plan, ORGANIZATIONS.c.created_at)
_SEARCH = (
    sa.select(*_summary)
    .where(
        ORGANIZATIONS.c.sandbox_of.is_(None),
        ORGANIZATIONS.c.id > sa.bindparam("after", type_=sa.Uuid),
        sa.func.strpos(
            sa.func.lower(ORGANIZATIONS.c.name), sa.func.lower(sa.bindparam("words", type_=sa.Text))
        )
        > 0,
    )
    .order_by(ORGANIZATIONS.c.id)
    .limit(_most)
)
_FIND = sa.select(*_summary).where(
    ORGANIZATIONS.c.sandbox_of.is_(None), ORGANIZATIONS.c.id == sa.bindparam("organization", type_=sa.Uuid)
)


async def insert_access(tx: Transaction, access: OperatorAccess) -> None:
    """Keeps a new access."""
    await tx.execute(_INSERT, asdict(access))


async def get_access(tx: Transaction, access_id: UUID) -> OperatorAccess | None:
    """An access, to look at."""
    return _read((await tx.execute(_GET, {"access": access_id})).mappings().one_or_none())


async def lock_access(tx: Transaction, access_id: UUID) -> OperatorAccess | None:
    """An access, which nobody else renews or ends until the end of `tx`. A tenant's `tx` finds its own."""
    return _read((await tx.execute(_LOCK, {"access": access_id})).mappings().one_or_none())


async def lock_accesses_of(tx: Transaction, sessions: Sequence[UUID]) -> list[OperatorAccess]:
    """What was begun in these sessions of operators and has not ended, locked in the order of their ids."""
    found = await tx.execute(_LOCK_OF_SESSIONS, {"sessions": list(sessions)})
    return [access for row in found.mappings() if (access := _read(row))]


async def end_access(tx: Transaction, access: OperatorAccess) -> None:
    """Keeps the end of a locked access, and revokes its tokens."""
    await tx.execute(_END, {"access": access.id, "ended": access.ended_at, "why": access.end_reason})
    await revoke(tx, access.id, organization_id=access.organization_id)


async def list_accesses(
    tx: Transaction, organization_id: UUID | None, *, before: UUID, most: int
) -> list[OperatorAccess]:
    """Accesses, the newest first, from the one begun before `before`; to all organizations by default."""
    asked = {"before": before, "most": most}
    if organization_id is None:
        found = await tx.execute(_LIST, asked)
    else:
        found = await tx.execute(_LIST_OF_ORGANIZATION, asked | {"organization": organization_id})
    return [access for row in found.mappings() if (access := _read(row))]


async def search_organizations(
    tx: Transaction, words: str, *, after: UUID, most: int
) -> list[FoundOrganization]:
    """Organizations whose name holds these words, whatever the case, from the one after `after`."""
    asked = {"words": words, "after": after, "most": most}
    return [FoundOrganization(**row) for row in (await tx.execute(_SEARCH, asked)).mappings()]


async def find_organization(tx: Transaction, organization_id: UUID) -> FoundOrganization | None:
    """One of them; none for a sandbox, which is nobody's."""
    row = (await tx.execute(_FIND, {"organization": organization_id})).mappings().one_or_none()
    return FoundOrganization(**row) if row else None


def _read(row: sa.RowMapping | None) -> OperatorAccess | None:
    if row is None:
        return None
    why = row["end_reason"]
    return OperatorAccess(**(dict(row) | {"end_reason": AccessEnd(why) if why else None}))
