"""Transactions: isolation by tenant, timeouts, and what a failure becomes."""

import asyncio

import pytest
import sqlalchemy as sa

from devstack.engines import PostgresEngine
from servicekit import deadline, ids
from servicekit.database import Database
from servicekit.errors import Busy, DeadlineExceeded, Unavailable
from servicekit.settings import DatabaseSettings

NOTES = sa.table(
    "notes", sa.column("organization_id", sa.Uuid), sa.column("id", sa.Uuid), sa.column("text", sa.Text)
)


async def _write(db: Database, organization: object, text: str) -> None:
    async with db.begin(organization) as tx:  # type: ignore[arg-type]
        await tx.execute(sa.insert(NOTES), {"organization_id": organization, "id": ids.new(), "text": text})


async def _texts(db: Database, organization: object) -> list[str]:
    async with db.begin(organization) as tx:  # type: ignore[arg-type]
        return list((await tx.execute(sa.select(NOTES.c.text))).scalars())


async def test_a_tenant_sees_its_own_rows_only(db: Database) -> None:
    mine, yours = ids.new(), ids.new()
    await _write(db, mine, "mine")
    await _write(db, yours, "yours")
    assert await _texts(db, mine) == ["mine"]


async def test_a_tenant_cannot_write_a_row_of_another(db: Database) -> None:
    mine, yours = ids.new(), ids.new()
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        async with db.begin(mine) as tx:
            await tx.execute(sa.insert(NOTES), {"organization_id": yours, "id": ids.new(), "text": "planted"})


async def test_without_a_tenant_nothing_is_visible(db: Database) -> None:
    await _write(db, ids.new(), "somebody's")
    async with db.driver() as connection:
        assert await connection.fetchval("SELECT count(*) FROM notes") == 0


async def test_a_platform_transaction_sees_all_and_leaves_no_role_behind(db: Database) -> None:
    await _write(db, ids.new(), "somebody's")
    async with db.begin_platform(reason="test") as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(NOTES))).scalar_one() == 1
    assert await _texts(db, ids.new()) == []


async def test_an_exception_rolls_back(db: Database) -> None:
    organization = ids.new()
    with pytest.raises(KeyError):
        async with db.begin(organization) as tx:
            await tx.execute(
                sa.insert(NOTES), {"organization_id": organization, "id": ids.new(), "text": "never"}
            )
            raise KeyError
    assert await _texts(db, organization) == []


async def test_a_lock_that_is_not_to_be_had_is_busy(database_settings: DatabaseSettings) -> None:
    impatient = Database(database_settings.model_copy(update={"lock_timeout_ms": 50}), name="booking")
    organization = ids.new()
    async with impatient.begin(organization) as tx:
        await tx.execute(sa.text("SELECT pg_advisory_xact_lock(7)"))
        with pytest.raises(Busy):
            async with impatient.begin(organization) as other:
                await other.execute(sa.text("SELECT pg_advisory_xact_lock(7)"))
    await impatient.close()


async def test_the_time_budget_of_a_request_ends_its_statements(db: Database) -> None:
    async def slow() -> None:
        deadline.start(0.2)
        async with db.begin(ids.new()) as tx:
            await tx.execute(sa.text("SELECT pg_sleep(5)"))

    with pytest.raises(DeadlineExceeded):
        await asyncio.create_task(slow())


async def test_the_application_role_is_sound(db: Database) -> None:
    await db.assert_sound()


async def test_the_owner_is_refused_as_application_role(database_settings: DatabaseSettings) -> None:
    owner = Database(DatabaseSettings(url=database_settings.owner_url), name="booking")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="own nothing"):
        await owner.assert_sound()
    await owner.close()


async def test_a_database_that_is_away_is_unavailable_and_comes_back(
    db: Database, postgres_engine: PostgresEngine
) -> None:
    organization = ids.new()
    await _write(db, organization, "before")
    await asyncio.to_thread(postgres_engine.kill)
    with pytest.raises(Unavailable):
        await _texts(db, organization)
    await asyncio.to_thread(postgres_engine.start)
    assert await _texts(db, organization) == ["before"]


async def test_a_restart_between_two_requests_is_not_noticed(
    db: Database, postgres_engine: PostgresEngine
) -> None:
    organization = ids.new()
    await asyncio.gather(*(_write(db, organization, "before") for _ in range(6)))
    await asyncio.to_thread(postgres_engine.restart)
    found = await asyncio.gather(*(_texts(db, organization) for _ in range(6)))
    assert [len(each) for each in found] == [6] * 6


async def test_a_connection_that_was_cut_off_is_not_used_again(database_settings: DatabaseSettings) -> None:
    single = Database(database_settings.model_copy(update={"pool_size": 1}), name="booking")

    async def backend() -> int:
        async with single.driver() as connection:
            found: int = await connection.fetchval("SELECT pg_backend_pid()")
            return found

    async def slow() -> None:
        async with single.driver() as connection:
            await connection.execute("SELECT pg_sleep(5)")

    before = await backend()
    assert await backend() == before
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slow(), 0.2)
    assert await backend() != before
    await single.close()
