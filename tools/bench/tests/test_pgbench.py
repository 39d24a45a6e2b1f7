"""The script that pgbench runs, and what is read of its output."""

from datetime import date

import pytest

from servicekit import ids
from tools.bench.pgbench import Outcome, PgbenchFailed, latencies, parse, script
from tools.bench.places import Place

OUTPUT = """\
pgbench (18.0)
transaction type: booking.sql
scaling factor: 1
query mode: prepared
number of clients: 16
number of threads: 1
maximum number of tries: 1
duration: 4 s
number of transactions actually processed: 10756
number of failed transactions: 3 (0.028%)
latency average = 5.942 ms
initial connection time = 33.104 ms
tps = 2692.581373 (without initial connection time)
"""


def test_the_report_of_a_run_is_read() -> None:
    assert parse(OUTPUT) == Outcome(processed=10756, failed=3, rate=2692.581373)


def test_a_run_that_broke_off_is_no_outcome() -> None:
    broken = "pgbench: error: client 3 script 0 aborted: ERROR:  function commit_booking does not exist"
    with pytest.raises(PgbenchFailed, match="commit_booking"):
        parse(broken)


def test_the_log_tells_how_long_each_transaction_took() -> None:
    assert latencies("0 1 5942 0 1793000000 12\n0 2 1000 0 1793000000 99\n") == [0.005942, 0.001]


def test_the_script_names_every_venue_and_table_and_leaves_no_blank() -> None:
    places = [Place(ids.new(), 7, ids.new(), (ids.new(), ids.new()), "ven_1", "off_1") for _ in range(3)]
    organization = ids.new()
    text = script(organization, places, first=date(2027, 3, 1), clients=16)
    named = [
        organization,
        *(each for place in places for each in (place.venue, place.offering, *place.tables)),
    ]
    assert all(str(each) in text for each in named)
    assert "{" not in text.replace("'{", "").replace("}'", "")
    assert "* 6 + :client_id / 3" in text  # six days side by side for every venue's five or six clients
