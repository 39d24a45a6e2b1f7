"""The clock of the application's host is wrong by five minutes, and holds last as long as they should."""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.platform import Platform
from servicekit import ids
from servicekit.errors import InvalidRequest
from testkit import eventually

from .arena import Arena, open_arena
from .conftest import HOLD_SECONDS, new_owner
from .scene import start_all

WRONG_BY = 300
_TOLERANCE = 30
_PATIENCE = 60.0
_OF_HOLD = """
    SELECT extract(epoch FROM created_at), extract(epoch FROM hold_expires_at), extract(epoch FROM now())
    FROM bookings WHERE venue_id = :'venue' AND status = 'held';
"""
_LENGTH_OF_RIVALRY = """
    SELECT extract(epoch FROM max(created_at) - min(created_at)) FROM bookings
    WHERE venue_id = :'venue';
"""


@pytest.fixture(scope="module")
def fast_platform(platform: Platform) -> Iterator[Platform]:
    """All programs run on a host that is ahead of the database's; at the end all is as it was."""
    kept = [process.environment for process in platform.programs]
    path = os.pathsep.join([str(Path(__file__).parent / "wrong_clock"), os.environ.get("PYTHONPATH", "")])
    wrong = {"PYTHONPATH": path.rstrip(os.pathsep), "WRONG_CLOCK_SECONDS": str(WRONG_BY)}
    try:
        _restart(platform, [{**environment, **wrong} for environment in kept])
        yield platform
    finally:
        _restart(platform, kept)


def _restart(platform: Platform, environments: Sequence[Mapping[str, str]]) -> None:
    for process, environment in zip(platform.programs, environments, strict=True):
        process.kill()
        process.environment = environment
    start_all(platform.programs)


@pytest.fixture
def house(fast_platform: Platform, api: Api, sink: Sink, http: httpx.AsyncClient) -> Arena:
    """One table, and a deposit from six people on."""
    owner = new_owner(api, sink)
    return open_arena(http, owner, fast_platform, tables=[("T1", 1, 8)], deposit=True)


async def test_a_hold_ends_by_the_clock_of_the_database_and_not_by_that_of_the_host(house: Arena) -> None:
    held = (await house.book(7, house.at())).json()["booking"]
    assert held["status"] == "held"
    ((created, expires, now),) = (map(float, row.split("|")) for row in house.books.rows(_OF_HOLD))
    assert 0 < expires - created <= HOLD_SECONDS
    assert 0 <= now - created < _TOLERANCE
    assert datetime.fromisoformat(held["hold_expires_at"]).timestamp() == pytest.approx(expires, abs=1)
    made_at = (ids.parse("bkg", held["id"], InvalidRequest).int >> 80) / 1000
    assert made_at - created == pytest.approx(WRONG_BY, abs=_TOLERANCE)  # the control: ids follow the host

    early = await house.book(2, house.at())
    assert early.json()["reason"] == "SLOT_TAKEN"

    async def taken() -> bool:
        return (await house.book(2, house.at())).status_code == httpx.codes.CREATED

    await eventually(taken, timeout=_PATIENCE)
    (seconds,) = house.books.rows(_LENGTH_OF_RIVALRY)
    assert expires - created <= float(seconds) < expires - created + _TOLERANCE
    assert (await house.see(held["id"]))["status"] == "expired"
    await house.assert_sound()
