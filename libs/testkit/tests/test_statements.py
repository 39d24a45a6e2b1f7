"""Equal work is told from unequal work, by the statements of both pools."""

from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa

from servicekit import ids
from servicekit.database import Database
from testkit.plugin import OpenDatabase
from testkit.statements import costs_the_same, sent

Call = Callable[[int], Awaitable[None]]


@pytest.fixture
async def db(service_database: OpenDatabase) -> Database:
    return await service_database("support")


def pooled(db: Database) -> Call:
    async def call(times: int) -> None:
        async with db.begin(ids.new()) as tx:
            for _ in range(times):
                await tx.execute(sa.text("SELECT 1"))

    return call


def bare(db: Database) -> Call:
    async def call(times: int) -> None:
        async with db.driver() as connection:
            for _ in range(times):
                await connection.fetchval("SELECT $1::int", times)

    return call


@pytest.mark.parametrize("pool", [pooled, bare])
async def test_the_same_statements_are_the_same_work_and_one_more_is_not(
    db: Database, pool: Callable[[Database], Call]
) -> None:
    assert await costs_the_same(db, pool(db), 2, 2)
    assert not await costs_the_same(db, pool(db), 2, 3)


async def test_no_statement_at_all_proves_nothing(db: Database) -> None:
    async def nothing(_: int) -> None:
        pass

    assert not await costs_the_same(db, nothing, 1, 1)


async def test_what_is_sent_before_and_after_is_not_counted(db: Database) -> None:
    await pooled(db)(1)
    async with sent(db) as statements:
        pass
    await pooled(db)(1)
    await bare(db)(1)
    assert statements == []
