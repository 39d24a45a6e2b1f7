"""The database's own rate for the two statements of a booking: pgbench, its script and its output."""

import asyncio
import re
import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from devstack.commands import inherited_environment
from devstack.psql import connection_environment
from tools.bench.figures import Waits
from tools.bench.places import BOOKINGS_A_DAY, STARTS_STEP, Place

_PROCESSED = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)
_RATE = re.compile(r"^tps = ([0-9.]+) ", re.MULTILINE)
_PAYLOAD_BYTES = 330
"""About as long as the event of a booking without a deposit."""

# The same two functions with the same kinds of arguments as the service sends, each a transaction. A client
# has days of its own, as every connection of the other phases has, and knows their versions; variables stay.
_SCRIPT = """\
\\set day :n / {bookings}
\\set version :n % {bookings}
\\set start (:version * {step}) % 96
\\set table :version % {tables} + 1
\\set venue :client_id % {venues} + 1
\\set date :skip + :day * {lanes} + :client_id / {venues}
\\set n :n + 1
SELECT * FROM read_venue_days(
    p_organization => '{organization}', p_venue => ('{{{venue_ids}}}'::uuid[])[:venue],
    p_known_version => ('{{{versions}}}'::bigint[])[:venue],
    p_dates => ARRAY['{first}'::date + :date::int], p_touching => ARRAY['{first}'::date + :date::int],
    p_placements => false,
    p_from => '{first}'::timestamptz + make_interval(days => :date, mins => 15 * :start),
    p_to => '{first}'::timestamptz + make_interval(days => :date, mins => 15 * :start + 90),
    p_key => encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'hex')
);
SELECT commit_booking(
    p_guarded => true, p_organization => '{organization}',
    p_key => encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'hex'),
    p_fingerprint => uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    p_venue => ('{{{venue_ids}}}'::uuid[])[:venue], p_venue_version => ('{{{versions}}}'::bigint[])[:venue],
    p_date => '{first}'::date + :date::int, p_day_version => :version,
    p_booking => uuidv7(), p_offering => ('{{{offerings}}}'::uuid[])[:venue], p_status => 'confirmed',
    p_party => 2, p_start => '{first}'::timestamptz + make_interval(days => :date, mins => 15 * :start),
    p_end => '{first}'::timestamptz + make_interval(days => :date, mins => 15 * :start + 90),
    p_resources => ARRAY[('{{{resources}}}'::uuid[])[(:venue - 1) * {tables} + :table]],
    p_notes => '', p_deposit => NULL, p_currency => NULL, p_free_hours => NULL, p_created_at => now(),
    p_hold_expires_at => NULL, p_guest => uuidv7(), p_name => 'Ana Bench', p_email => 'ana@bench.example',
    p_phone => '', p_language => 'en',
    p_token_hash => uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    p_actor => 'guest', p_user => NULL, p_event => uuidv7(), p_topic => 'comptoir.booking.v1',
    p_type => 'comptoir.booking.v1.BookingConfirmed', p_payload => '\\x{payload}',
    p_traceparent => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    p_timer => uuidv7(), p_timer_kind => 'no_show', p_timer_due => now() + interval '30 days',
    p_more => '{{"grace_minutes": 30}}'
);
"""


class PgbenchFailed(Exception):
    """pgbench ended with an error; the text is its own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What pgbench reports."""

    processed: int
    failed: int
    rate: float
    """Transactions per second, without the time to connect."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pgbench."""

    outcome: Outcome
    seconds: float
    waits: Waits
    client_cpu: float
    """CPU seconds of pgbench itself."""


def script(organization: UUID, places: Sequence[Place], *, first: date, clients: int) -> str:
    """The custom script. It needs the variables `n` (0) and `skip` (days after `first`) from `run`."""
    return _SCRIPT.format(
        bookings=BOOKINGS_A_DAY,
        step=STARTS_STEP,
        tables=len(places[0].tables),
        venues=len(places),
        lanes=-(-clients // len(places)),
        organization=organization,
        venue_ids=_list(place.venue for place in places),
        versions=_list(place.version for place in places),
        offerings=_list(place.offering for place in places),
        resources=_list(table for place in places for table in place.tables),
        first=first.isoformat(),
        payload="0a" * _PAYLOAD_BYTES,
    )


def parse(output: str) -> Outcome:
    """Reads what pgbench printed. Raises PgbenchFailed when it is not the report of a whole run."""
    processed, failed, rate = (pattern.search(output) for pattern in (_PROCESSED, _FAILED, _RATE))
    if processed is None or rate is None:
        raise PgbenchFailed(output.strip()[-1000:])
    return Outcome(int(processed[1]), int(failed[1]) if failed else 0, float(rate[1]))


def latencies(log: str) -> list[float]:
    """Seconds of each transaction, from the per-transaction log."""
    return [int(line.split()[2]) / 1e6 for line in log.splitlines()]


async def run(
    program: Path, url: str, text: str, *, clients: int, seconds: int, skip: int, folder: Path
) -> Run:
    """Runs the script for some seconds, on days from `skip` after its first; leaves nothing in `folder`.

    Raises:
        PgbenchFailed: it reported an error.
    """
    (folder / "booking.sql").write_text(text)
    arguments = [f"--client={clients}", "--jobs=1", f"--time={seconds}", "--protocol=prepared", "--no-vacuum"]
    arguments += [f"--file={folder / 'booking.sql'}", "--log", f"--log-prefix={folder / 'pgbench'}"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        *("-D", "n=0", "-D", f"skip={skip}"),
        env={**inherited_environment(), **connection_environment(url)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    taken: list[float] = []
    for log in folder.glob("pgbench.*"):  # noqa: ASYNC240  # nothing else runs
        taken += latencies(log.read_text())
        log.unlink()
    if process.returncode:
        raise PgbenchFailed(output.strip()[-1000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(parse(output), elapsed, Waits.of(taken), cpu)


def _list(values: Iterable[object]) -> str:
    return ",".join(map(str, values))
