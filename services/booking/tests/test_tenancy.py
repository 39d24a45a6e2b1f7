"""The tables as migrated: as described in tables.py, forced to be private, and fast in spite of it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import alembic.command
import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import ProgrammingError

from booking.app import App
from booking.domain.bookings import Actor, ActorKind
from booking.domain.closures import Closure
from booking.domain.themes import Theme
from booking.store import themes as theme_store
from booking.tables import METADATA, TENANT_TABLES
from booking.usecases import blocks, closures, hours, pacing
from booking.usecases.blocks import Blocking
from booking.usecases.pacing import Limits
from servicekit import ids, migrations
from testkit.databases import ServiceDatabases, migrations_of

from .conftest import House, Payments, open_house
from .line import Line, cancel
from .series import repeat


async def test_the_migrations_make_what_the_tables_say(app: App) -> None:
    def compare(connection: sa.Connection) -> Sequence[object]:
        found: Sequence[object] = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_server_default": False}), METADATA
        )
        return [each for each in found if "alembic_version" not in str(each)]

    async with app.db.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_row_level_security_is_forced_on_every_table_of_ours(app: App) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    async with app.db.driver() as connection:
        forced = {row["relname"] for row in await connection.fetch(query)}
    assert set(METADATA.tables) - forced == {"answers", "relay_confirmations", "consumer_positions"}
    assert set(TENANT_TABLES) <= forced


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_a_tenant_sees_its_own_rows_only_and_nobody_sees_any_without_a_tenant(
    app: App, payments: Payments, table: str
) -> None:
    houses = [await open_house(app, payments), await open_house(app, payments)]
    columns = METADATA.tables[table].c
    if table == "areas":
        for house in houses:
            async with app.db.begin(house.organization) as tx:
                row = {
                    "organization_id": house.organization,
                    "id": ids.new(),
                    "venue_id": house.venue_id,
                    "name": "Terrace",
                }
                await tx.execute(sa.insert(METADATA.tables[table]), row)
    for house in houses:
        await house.book()
        if table == "blocks":
            blocking = Blocking((), None, house.start(9), house.start(10), "", strand=False)
            staff = Actor(ActorKind.MEMBER, ids.new())
            await blocks.create_block(app, house.organization, house.ref, blocking, actor=staff)
        if table == "pacing_rules":
            limits = Limits(None, 15, 10, None, None, None)
            await pacing.create_rule(app, house.organization, house.ref, limits)
        if table == "closures":
            closure = Closure(ids.new(), (), house.day(20), house.day(20))
            await closures.create_closure(app, house.organization, house.ref, closure)
        if table == "date_exceptions":
            await hours.create_exception(
                app,
                house.organization,
                house.ref,
                offering_id=house.offering.id,
                service_date=house.day(20),
                windows=(),
                reason="",
                note="",
            )
        if table.startswith(("waitlist_", "series", "themes")):
            await wait_or_repeat(table, house)
    for house in houses:
        async with app.db.begin(house.organization) as tx:
            seen = set((await tx.execute(sa.select(columns.organization_id))).scalars())
            assert seen == {house.organization}
    async with app.db.driver() as connection:
        assert await connection.fetch(f"SELECT * FROM {table}") == []  # noqa: S608


async def wait_or_repeat(table: str, house: House) -> None:
    """Somebody waits and is offered something; or comes every week, but for one; or the house has a look."""
    if table == "themes":
        theme = Theme("House", "", "#ffffff", "#000000", "#000000")
        async with house.app.db.begin(house.organization) as tx:
            await theme_store.note_theme(tx, 1, theme)
    elif table.startswith("waitlist_"):
        await wait_and_be_offered(house)
    else:
        await house.book(5, house.start(days=14))
        await repeat(house, party_size=5, skip=True)


async def wait_and_be_offered(house: House) -> None:
    """Somebody waits for the largest table and is offered it."""
    large, line = (await house.book(10)).booking, Line(house)
    await line.wait("anna", 10)
    await cancel(house, large)
    assert await line.sweep_day() == 1


async def test_a_tenant_cannot_book_at_the_resources_of_another(app: App, payments: Payments) -> None:
    mine, theirs = await open_house(app, payments), await open_house(app, payments)
    booked = await mine.book()
    row = {
        "organization_id": theirs.organization,
        "booking_id": booked.booking.id,
        "resource_id": theirs.tables["T1"].id,
        "venue_id": theirs.venue_id,
        "start_at": booked.booking.start,
        "end_at": booked.booking.end,
    }
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with app.db.begin(mine.organization) as tx:
            await tx.execute(sa.insert(METADATA.tables["allocations"]), row)


async def test_the_hot_read_uses_the_index_of_the_venue_in_spite_of_row_level_security(
    house: House, service_databases: ServiceDatabases
) -> None:
    await house.book()
    others = ", ".join(each.name for each in METADATA.tables["bookings"].c if each.name != "id")
    # Two thousand evenings at one table, and what the planner must know of them.
    evenings = (
        f"WITH made AS (INSERT INTO bookings (id, {others}) SELECT gen_random_uuid(), {others}"  # noqa: S608
        "  FROM bookings, generate_series(1, 2000)"
        "  RETURNING organization_id, id, venue_id, resource_ids[1] AS table_id)"
        " INSERT INTO allocations (organization_id, booking_id, resource_id, venue_id, start_at, end_at)"
        " SELECT organization_id, id, table_id, venue_id, at, at + interval '2 hours' FROM"
        "  (SELECT *, now() - row_number() OVER () * interval '1 day' AS at FROM made)"
    )
    query = (
        "EXPLAIN (FORMAT JSON) SELECT resource_id FROM allocations"
        " WHERE organization_id = $1 AND venue_id = $2 AND start_at > now() - interval '24 hours'"
        " AND start_at < now() AND end_at > now()"
    )
    settings = service_databases.settings("booking")
    assert settings.owner_url is not None
    owner = await asyncpg.connect(settings.owner_url.get_secret_value())
    try:
        undone = owner.transaction()
        await undone.start()
        await owner.execute("SELECT set_config('app.organization_id', $1, true)", str(house.organization))
        await owner.execute(evenings)
        await owner.execute("ANALYZE allocations")
        plan = await owner.fetchval(query, house.organization, house.venue_id)
        await undone.rollback()
    finally:
        await owner.close()
    assert "allocations_venue" in plan
    condition = next(line for line in plan.splitlines() if "Index Cond" in line)
    assert "venue_id" in condition
    assert "start_at" in condition


async def test_the_migrations_can_be_undone_and_done_again(service_databases: ServiceDatabases) -> None:
    settings = service_databases.settings("booking", copy="_undone")
    assert settings.owner_url is not None
    url = settings.owner_url.get_secret_value()
    config = Config()
    config.set_main_option("script_location", str(migrations_of("booking")))
    config.attributes["url"] = url.replace("postgresql://", "postgresql+asyncpg://", 1)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(alembic.command.downgrade, config, "base").result()
    left = (
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"
    )
    owner = await asyncpg.connect(url)
    assert await owner.fetchval(left) == 1  # alembic's own
    await owner.close()
    migrations.upgrade(migrations_of("booking"), url)
