"""The phases: what is asked of whom, and what one round of it costs. Each answers one Sample."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

import asyncpg

from devstack.engines import PostgresEngine
from devstack.psql import run_sql
from tools.bench import load, lookups, pgbench
from tools.bench.commits import Commits
from tools.bench.cpu import Cpu
from tools.bench.figures import Sample, Waits
from tools.bench.places import STARTS, STARTS_STEP, SliceWishes, Wishes, wish
from tools.bench.stage import BOOKED_ON_THE_DAY, Pair, Stage, searched_day

CONNECTIONS = 16
_OK, _CREATED = 200, 201
_FIRST_BOOKED_DAY = 10
_DAYS_A_ROUND = 40
"""Service days that a round of pgbench may fill in one venue."""
_BEYOND = 800
"""Where pgbench's days begin: after all that the gateway is asked for."""
_COUNT = "SELECT count(*) FROM bookings;"
_PUBLISHED = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL;"
_RELAY_SECONDS = 6.0
_CHANGE = "UPDATE service_days SET version = version + 1 WHERE service_date BETWEEN $1 AND $1 + $2::integer"
_CHANGE_EVERY_SECONDS = 0.002

Measure = Callable[[float], Awaitable[Sample]]
"""One round of a phase, of about so many seconds."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Something that is measured."""

    name: str
    measure: Measure


class _HasPid(Protocol):
    @property
    def pid(self) -> int | None: ...


class Phases:
    """All phases of one stage. Rounds run one after the other, never at one time."""

    EMPTY = "empty RPC"
    EMPTY_SIGNED_IN, EMPTY_PROXY = "empty RPC, signed in", "empty RPC, bare proxy"
    SEARCH, SEARCH_QUIET = "availability", "availability, not traced"
    SEARCH_CHANGING = "availability, days change"
    CALENDAR, BATCH = "availability/calendar, days change", "availability/batch, days change"
    BOOK, BOOK_QUIET = "booking", "booking, not traced"
    COMMIT = "booking commits"
    PGBENCH = "pgbench, the same SQL"
    SLICE = "bare slice"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        first = searched_day() + timedelta(days=_FIRST_BOOKED_DAY)
        self._wishes = Wishes(stage.places, first=first.date(), connections=CONNECTIONS)
        self._slice = SliceWishes(connections=CONNECTIONS)
        self._pgbench_round = 0
        self._commits: Commits | None = None
        self._searches = itertools.cycle(lookups.searches())

    def all(self) -> list[Phase]:
        """In the order of a round."""
        stage = self._stage
        return [
            Phase(self.EMPTY, self._gateway(stage.empty, self._search, expected=_OK)),
            Phase(self.EMPTY_SIGNED_IN, self._gateway(stage.empty, self._search_signed_in, expected=_OK)),
            Phase(self.EMPTY_PROXY, self._gateway(stage.proxy, self._search, expected=_OK)),
            Phase(self.SEARCH, self._search_known_days(stage.traced)),
            Phase(self.SEARCH_QUIET, self._search_known_days(stage.quiet)),
            Phase(self.SEARCH_CHANGING, self._search_changing_days),
            Phase(self.CALENDAR, self._look_up(lookups.calendar())),
            Phase(self.BATCH, self._look_up(lookups.batch(stage.places[0]))),
            Phase(self.BOOK, self._gateway(stage.traced, self._wishes.make, expected=_CREATED)),
            Phase(self.BOOK_QUIET, self._gateway(stage.quiet, self._wishes.make, expected=_CREATED)),
            Phase(self.COMMIT, self._commit),
            Phase(self.PGBENCH, self._run_pgbench),
            Phase(self.SLICE, self._gateway(stage.slice, self._slice.make, expected=_CREATED)),
        ]

    async def fill_day(self) -> None:
        """Books the day that is searched, one booking after the other, and makes a month like it.

        Raises:
            RuntimeError: the platform did not take them all.
        """
        place = self._stage.places[0]
        requests = iter(
            wish(
                place,
                searched_day() + timedelta(minutes=15 * (number * STARTS_STEP % STARTS)),
                key=f"day-{number}",
            )
            for number in range(BOOKED_ON_THE_DAY)
        )
        port = self._stage.traced.gateway.port
        result = await load.run(port, lambda _: next(requests, None), connections=1, seconds=60)
        if result.statuses != {_CREATED: BOOKED_ON_THE_DAY}:
            raise RuntimeError(f"the searched day could not be filled: {dict(result.statuses)}")
        run_sql(self._stage.database, lookups.fill())

    def analyze(self) -> None:
        """Has the planner know the tables, as it does a minute after they grew."""
        run_sql(self._stage.database, "VACUUM ANALYZE;")

    async def close(self) -> None:
        """Ends the connections that phases keep."""
        if self._commits is not None:
            await self._commits.close()

    async def relay_cost(self) -> tuple[int, Mapping[str, float]]:
        """How many waiting events the relay publishes in some seconds, and CPU µs of each by process."""
        stage = self._stage
        relay = stage.relay
        relay.start()
        try:
            engines = stage.platform.engines
            before, cpu = (
                self._count(_PUBLISHED),
                _cpu(relay=relay, postgres=stage.postgres, broker=engines.broker),
            )
            await asyncio.sleep(_RELAY_SECONDS)
            seconds, published = cpu.since(), self._count(_PUBLISHED) - before
        finally:
            relay.stop()
        return published, {name: value / max(1, published) * 1e6 for name, value in seconds.items()}

    def _gateway(
        self, pair: Pair, make: load.Make, *, expected: int, connections: int = CONNECTIONS
    ) -> Measure:
        async def measure(seconds: float) -> Sample:
            stage = self._stage
            cpu = {
                "gateway": pair.gateway,
                "service": pair.service,
                "postgres": stage.postgres,
                "redis": stage.redis,
            }
            port = pair.gateway.port
            return await _drive(port, make, cpu, expected=expected, seconds=seconds, connections=connections)

        return measure

    def _search(self, _connection: int) -> bytes:
        """The next question: every size of party on every busy day in turn, whoever asks."""
        return next(self._searches)

    def _search_signed_in(self, connection: int) -> bytes:
        """The same by somebody who shows an access token."""
        line, _, rest = self._search(connection).partition(b"\r\n")
        return b"%b\r\nauthorization: %b\r\n%b" % (line, self._stage.signed_in.encode(), rest)

    def _search_known_days(self, pair: Pair) -> Measure:
        """Every question was asked once before: what the phases before it changed is not part of this one."""
        search = self._gateway(pair, self._search, expected=_OK)

        async def measure(seconds: float) -> Sample:
            once = iter(lookups.searches())
            await load.run(pair.gateway.port, lambda _: next(once, None), connections=CONNECTIONS, seconds=60)
            return await search(seconds)

        return measure

    async def _search_changing_days(self, seconds: float) -> Sample:
        """The same while the days change oftener than they are searched: nothing kept may be used."""
        search = self._gateway(self._stage.traced, self._search, expected=_OK)
        first = (searched_day() + timedelta(days=lookups.BUSY_AFTER)).date()
        async with _changing_days(self._stage.database, first, more=lookups.SEARCHED_DAYS):
            return await search(seconds)

    def _look_up(self, request: bytes) -> Measure:
        """One guest who asks again and again, while every day changes: how long it takes, not how many."""
        ask = self._gateway(self._stage.traced, lambda _: request, expected=_OK, connections=1)
        first = (searched_day() + timedelta(days=lookups.BUSY_AFTER)).date()

        async def measure(seconds: float) -> Sample:
            async with _changing_days(self._stage.database, first, more=lookups.DAYS):
                return await ask(seconds)

        return measure

    async def _commit(self, seconds: float) -> Sample:
        """The use case in this process, which is the service then: no hop before it."""
        if self._commits is None:
            key_file = self._stage.platform.secrets.internal_key_file("booking")
            self._commits = Commits(self._stage.application_database, self._wishes, key_file=key_file)
        cpu, own, began = _cpu(postgres=self._stage.postgres), time.process_time(), time.perf_counter()
        taken = await self._commits.run(connections=CONNECTIONS, seconds=seconds)
        own, passed = time.process_time() - own, time.perf_counter() - began
        used = {"service": own, **cpu.since()}
        return Sample(
            rate=len(taken) / passed,
            cpu={name: value / len(taken) * 1e6 for name, value in used.items()},
            waits=Waits.of(taken),
            generator=0,
            generator_cpu=0,
        )

    async def _run_pgbench(self, seconds: float) -> Sample:
        stage = self._stage
        assert isinstance(stage.postgres, PostgresEngine)  # noqa: S101
        first = searched_day().date()
        text = pgbench.script(stage.organization, stage.places, first=first, clients=CONNECTIONS)
        before, cpu = self._count(_COUNT), _cpu(postgres=stage.postgres)
        run = await pgbench.run(
            stage.postgres.pgbench,
            stage.application_database,
            text,
            clients=CONNECTIONS,
            seconds=max(1, round(seconds)),
            skip=_BEYOND + self._pgbench_round * _DAYS_A_ROUND,
            folder=stage.folder,
        )
        used = cpu.since()
        self._pgbench_round += 1
        done = run.outcome.processed
        refused = done - (self._count(_COUNT) - before)
        return Sample(
            rate=run.outcome.rate,
            cpu={name: value / done * 1e6 for name, value in used.items()},
            waits=run.waits,
            generator=run.client_cpu / run.seconds,
            generator_cpu=run.client_cpu / done * 1e6,
            wrong={"refused": refused} if refused else {},
        )

    def _count(self, query: str) -> int:
        return int(run_sql(self._stage.database, query))


async def _drive(
    port: int,
    make: load.Make,
    processes: Mapping[str, _HasPid],
    *,
    expected: int,
    seconds: float,
    connections: int,
) -> Sample:
    cpu, own = _cpu(**processes), time.process_time()
    result = await load.run(port, make, connections=connections, seconds=seconds)
    own = time.process_time() - own
    used, answers = cpu.since(), result.answers
    return Sample(
        rate=result.rate,
        cpu={name: value / answers * 1e6 for name, value in used.items()},
        waits=Waits.of(result.latencies),
        generator=own / result.seconds,
        generator_cpu=own / answers * 1e6,
        wrong={str(status): count for status, count in result.statuses.items() if status != expected},
    )


@contextlib.asynccontextmanager
async def _changing_days(database: str, first: date, *, more: int = 0) -> AsyncIterator[None]:
    connection = await asyncpg.connect(database, server_settings={"synchronous_commit": "off"})

    async def change() -> None:
        while True:
            await connection.execute(_CHANGE, first, more)
            await asyncio.sleep(_CHANGE_EVERY_SECONDS * (1 + more))

    changing = asyncio.create_task(change())
    try:
        yield
    finally:
        changing.cancel()
        await asyncio.wait([changing])
        await connection.close()


def _cpu(**processes: _HasPid | None) -> Cpu:
    return Cpu({name: process.pid for name, process in processes.items() if process and process.pid})
