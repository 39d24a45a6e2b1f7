"""Rounds in which a service forgets what is old: one timer a kind, small transactions, never what is live.

A round goes through the organizations in the order of their ids. It notes how far it came in its timer after
a stretch, so that a process that dies repeats one stretch at most; what is gone already is not found again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from servicekit import retention, telemetry, timers
from servicekit.database import Database, Transaction
from servicekit.errors import Busy, DeadlineExceeded
from servicekit.retention import Periods
from servicekit.telemetry import metrics
from servicekit.timers import Timer

PURGE = "purge"
"""The kind of the timers; their keys say what is purged."""
BATCH = 200
"""Rows of one transaction."""
EVERY = timedelta(hours=1)
_STRETCH = 50
"""Transactions of one stretch, which has to end before the timer's lease does."""
_FIRST = UUID(int=0)
_SWEPT_AT_A_TIME = 20

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Purged:
    """What one transaction did."""

    rows: int
    more: bool
    """Whether another one is needed; only said by one that did something."""


OfTenant: TypeAlias = Callable[[Transaction, Periods, int], Awaitable[Purged]]
"""Purges about so many rows of the transaction's organization."""
OfPlatform: TypeAlias = Callable[[Transaction, int], Awaitable[Purged]]
"""The same for rows that belong to no organization."""


@dataclass(frozen=True, slots=True)
class TenantPurge:
    """What is purged organization by organization, each in transactions of its own."""

    table: sa.Table
    """Has an index that begins with `organization_id`: by it the next organizations are found."""
    batch: OfTenant


@dataclass(frozen=True, slots=True)
class PlatformPurge:
    """What belongs to no organization, or is sought across all of them by its age alone."""

    batch: OfPlatform


Purges: TypeAlias = Mapping[str, TenantPurge | PlatformPurge]


async def purge(db: Database, timer: Timer, purges: Purges) -> None:
    """One stretch of a round. The next one follows at once, or the next round after `EVERY`."""
    match purges[timer.key]:
        case TenantPurge() as kind:
            after = await _purge_tenants(db, timer, kind)
        case PlatformPurge() as kind:
            after = await _purge_platform(db, timer, kind)
    async with db.begin_platform(reason="say when a purge goes on") as tx:
        due, payload = (tx.now + EVERY, {}) if after is None else (tx.now, {"after": str(after)})
        await timers.schedule(tx, PURGE, timer.key, due, payload)


async def _purge_tenants(db: Database, timer: Timer, kind: TenantPurge) -> UUID | None:
    """Answers the organization behind which the round goes on; None when it is through."""
    after = UUID(timer.payload.get("after", str(_FIRST)))
    async with db.begin_platform(reason="find whose rows may be old") as tx:
        organizations = await list_organizations(tx, kind.table, after=after, most=_STRETCH)
    left = _STRETCH
    for organization in organizations:
        more = True
        while more:
            if not left:
                return after
            left -= 1
            more = await _purge_batch(db, timer.key, organization, kind.batch)
        after = organization
    return after if len(organizations) == _STRETCH else None


async def _purge_batch(db: Database, key: str, organization: UUID, batch: OfTenant) -> bool:
    """Whether there may be more. An organization whose rows others hold is left for the next round."""
    try:
        async with db.begin(organization) as tx:
            periods = (await retention.read(tx)).periods
            purged = await batch(tx, periods, BATCH)
    except (Busy, DeadlineExceeded) as refusal:
        _log.warning("purge_put_off", key=key, reason=refusal.reason)
        return False
    metrics.ROWS_PURGED.labels(key).inc(purged.rows)
    return purged.more


async def _purge_platform(db: Database, timer: Timer, kind: PlatformPurge) -> UUID | None:
    for _ in range(_STRETCH):
        async with db.begin_platform(reason="purge what belongs to no organization") as tx:
            purged = await kind.batch(tx, BATCH)
        metrics.ROWS_PURGED.labels(timer.key).inc(purged.rows)
        if not purged.more:
            return None
    return _FIRST


async def list_organizations(tx: Transaction, table: sa.Table, *, after: UUID, most: int) -> list[UUID]:
    """The organizations that have rows in a table, in order: one look into an index for each of them."""
    query = sa.text(
        "WITH RECURSIVE tenants (id) AS ("  # noqa: S608  # the name of a table of ours
        f" (SELECT organization_id FROM {table.name} WHERE organization_id > :after"
        " ORDER BY organization_id LIMIT 1)"
        f" UNION ALL SELECT (SELECT organization_id FROM {table.name} WHERE organization_id > tenants.id"
        " ORDER BY organization_id LIMIT 1) FROM tenants WHERE tenants.id IS NOT NULL)"
        " SELECT id FROM tenants WHERE id IS NOT NULL LIMIT :most"
    ).bindparams(sa.bindparam("after", type_=sa.Uuid), sa.bindparam("most", type_=sa.Integer))
    return list((await tx.execute(query, {"after": after, "most": most})).scalars())


def deletion(table: sa.Table, over: sa.ColumnElement[bool], *, oldest: sa.ColumnElement[Any]) -> sa.Delete:
    """Deletes up to `most` rows that are over, the oldest first. Rows that somebody else holds are left.

    What is chosen is a table expression: PostgreSQL evaluates one that locks rows once. A subquery it
    evaluates again for every row where it believes the table to be small, and then all rows go, in minutes.
    """
    key = sa.tuple_(*table.primary_key.columns)
    chosen = (
        sa.select(*table.primary_key.columns)
        .where(over)
        .order_by(oldest)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    return sa.delete(table).where(key.in_(sa.select(*chosen.c)))


async def delete(tx: Transaction, statement: sa.Delete, most: int, **values: object) -> Purged:
    """Runs a `deletion`."""
    rows = (await tx.execute(statement, {"most": most, **values})).rowcount
    return Purged(rows, more=rows == most)


async def sweep(tx: Transaction, statement: sa.Delete) -> None:
    """Runs a `deletion` of a few rows, on the way of whoever adds one: so what runs out needs no rounds."""
    await delete(tx, statement, _SWEPT_AT_A_TIME)
