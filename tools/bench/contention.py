"""`python -m tools.bench.contention`: commits on one venue against 50, and 50 guests who want one slot.

Starts a platform of its own, as `tools.bench` does. Asserts no time.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import uvloop

from devstack.commands import ProcessFailed
from devstack.psql import run_sql
from servicekit import ids
from tools.bench import load
from tools.bench.figures import Range
from tools.bench.places import Place, Wishes, wish
from tools.bench.report import Machine
from tools.bench.stage import Stage, searched_day

VENUES = 50
FIGHTERS = 50
TARGET_SECONDS = 3.0
"""Within which a fight has to be decided for everybody."""
_CREATED, _TAKEN = 201, 409
_ROUNDS, _SECONDS, _WARM_UP_SECONDS = 4, 4.0, 2.0
_ONE, _MANY, _LOCKED = "one venue", f"{VENUES} venues", f"{VENUES} venues, a further one locked"

_COPY = """
INSERT INTO venues SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', {id}, 'slug', 'copy-{number}'))).* FROM venues v WHERE id = '{venue}';
INSERT INTO resources SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', {id}, 'venue_id', '{copy}'))).* FROM resources v WHERE venue_id = '{venue}' LIMIT {tables};
INSERT INTO offerings SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', {id}, 'venue_id', '{copy}'))).* FROM offerings v WHERE venue_id = '{venue}';
INSERT INTO shifts SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', {id}, 'venue_id', '{copy}', 'offering_id', '{offering}'
))).* FROM shifts v WHERE venue_id = '{venue}';
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('venue ' || $1::text, 0))"
"""What whoever changes a venue's hours or capacity takes; see `lock_venue` of the booking service."""


def main() -> int:
    """0 when every answer was one that is expected, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.contention", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of a phase; default %(default)s")
    chosen = parser.parse_args()
    stage = Stage(Path(tempfile.mkdtemp(prefix="comptoir-bench-")))
    try:
        stage.start(lambda step: print(f"  {step}", file=sys.stderr))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_measure(stage, chosen.rounds, chosen.seconds))
    except ProcessFailed as failed:
        print(failed)
        return 1
    finally:
        stage.close()


async def _measure(stage: Stage, rounds: int, seconds: float) -> int:
    machine = Machine.here()
    print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}, commit {machine.commit}.")
    spread = [copy_of(stage.places[0], number) for number in range(1, VENUES + 3)]
    tables = len(stage.places[0].tables)
    for number, place in enumerate(spread, start=1):
        run_sql(
            stage.database, copying(stage.places[0], place, number, tables if number < len(spread) else 1)
        )
    *many, locked, small = spread
    wishes = {
        _ONE: _wishes(many[:1]),
        _MANY: _wishes(many),
    }
    wishes[_LOCKED] = wishes[_MANY]
    for name in (_ONE, _MANY):
        await _book(stage, wishes[name], _WARM_UP_SECONDS)
    run_sql(stage.database, "VACUUM ANALYZE;")
    rates: dict[str, list[float]] = {name: [] for name in wishes}
    wrong: Counter[int] = Counter()
    fights: list[float] = []
    for number in range(rounds):
        for name in wishes if number % 2 else reversed(wishes):
            async with (
                _change_of(stage.database, locked.venue) if name == _LOCKED else contextlib.nullcontext()
            ):
                result = await _book(stage, wishes[name], seconds)
            rates[name].append(result.statuses[_CREATED] / result.seconds)
            wrong.update({each: count for each, count in result.statuses.items() if each != _CREATED})
        fight = await _fight(stage, small, searched_day() + timedelta(hours=2 * number))
        fights.append(max(fight.latencies))
        if fight.statuses != {_CREATED: 1, _TAKEN: FIGHTERS - 1}:
            wrong.update(fight.statuses)
    _show(rates, fights)
    if wrong:
        print(f"other answers than expected, do not use these figures: {dict(wrong)}")
    return 1 if wrong else 0


def copy_of(place: Place, number: int) -> Place:
    """A further venue like one that there is; its ids differ in eight digits."""
    venue, offering = _numbered(place.venue, number), _numbered(place.offering, number)
    return replace(
        place,
        venue=venue,
        offering=offering,
        tables=tuple(_numbered(each, number) for each in place.tables),
        venue_name=ids.show("ven", venue),
        offering_name=ids.show("off", offering),
    )


def copying(place: Place, copy: Place, number: int, tables: int) -> str:
    """The statements that make the copy, with so many tables."""
    return _COPY.format(
        id=f"overlay(v.id::text PLACING '{_digits(number)}' FROM 25 FOR {len(_digits(number))})",
        number=number,
        venue=place.venue,
        copy=copy.venue,
        offering=copy.offering,
        tables=tables,
    )


def _numbered(value: UUID, number: int) -> UUID:
    text = str(value)
    return UUID(text[:24] + _digits(number) + text[24 + len(_digits(number)) :])


def _digits(number: int) -> str:
    """Eight of the random digits of an id: none has these by itself."""
    return f"c0bed{number:03x}"


def _wishes(places: list[Place]) -> Wishes:
    """Every connection has days of its own, whatever venue: nobody waits for a day."""
    return Wishes(places, first=searched_day().date(), connections=VENUES)


async def _book(stage: Stage, wishes: Wishes, seconds: float) -> load.Result:
    return await load.run(stage.quiet.gateway.port, wishes.make, connections=VENUES, seconds=seconds)


async def _fight(stage: Stage, place: Place, start: datetime) -> load.Result:
    """Everybody asks once, at the same moment, for the only table."""
    waiting = set(range(FIGHTERS))

    def once(connection: int) -> bytes | None:
        if connection not in waiting:
            return None
        waiting.remove(connection)
        return wish(place, start, key=f"fight-{start:%d-%H}-{connection}")

    return await load.run(stage.quiet.gateway.port, once, connections=FIGHTERS, seconds=60)


@contextlib.asynccontextmanager
async def _change_of(database: str, venue: UUID) -> AsyncIterator[None]:
    """Somebody changes the hours of a venue for as long as this lasts."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute(_LOCK, str(venue))
            yield
    finally:
        await connection.close()


def _show(rates: dict[str, list[float]], fights: list[float]) -> None:
    print(f"Bookings per second, {VENUES} connections, each on days of its own:")
    for name, taken in rates.items():
        ratios = Range.of([rate / one for rate, one in zip(taken, rates[_ONE], strict=True)])
        each = Range.of(taken)
        print(
            f"{name:<36}{each.median:>6.0f} ({each.least:.0f}-{each.most:.0f})"
            f"   of one venue: {ratios.median:.2f} ({ratios.least:.2f}-{ratios.most:.2f})"
        )
    longest = max(fights)
    verdict = "reached" if longest <= TARGET_SECONDS else "missed"
    print(
        f"{FIGHTERS} guests for the only table: the last answer after {Range.of(fights).median:.2f} s, "
        f"at most {longest:.2f} s; ≤ {TARGET_SECONDS:g} s: {verdict}"
    )


if __name__ == "__main__":
    sys.exit(main())
