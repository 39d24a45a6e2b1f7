"""What the platform weighs: the whole of it, and what no serving process may load."""

import subprocess
import sys

import psutil
import pytest

from devstack.platform import Platform
from devstack.topology import GATEWAY, PROGRAMS, SERVICES

_LIMIT_BYTES = 1_500_000_000
_LOADED = """
import sys
import {program}.__main__
from servicekit.telemetry import traces
traces.setup("{program}", "http://127.0.0.1:9/v1/traces", 0.0)
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
# Each is worth 3 to 25 MB in a process that has no use for it.
_HEAVY = {program: {"alembic", "mako"} for program in PROGRAMS}
_HEAVY[GATEWAY] |= {"sqlalchemy", "asyncpg", "aiokafka"}
_HEAVY["auth"] |= {"scim2_models"}  # only who serves has a use for them
for name in {*SERVICES, GATEWAY} - {"payment"}:  # whose library of Stripe loads every HTTP client there is
    _HEAVY[name] |= {"requests"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_loads_nothing_heavy_that_it_has_no_use_for(program: str) -> None:
    command = [sys.executable, "-c", _LOADED.format(program=program)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    assert program in loaded
    assert set(loaded) & _HEAVY[program] == set()


def test_the_whole_platform_with_its_engines_fits_in_its_memory(platform: Platform) -> None:
    """With three processes of booking, and whatever the tests before have left behind."""
    started = [psutil.Process(process.pid) for process in platform.processes if process.pid]
    assert len(started) == len(platform.processes)
    family = [each for process in started for each in (process, *process.children(recursive=True))]
    # Proportional: what processes share is counted once.
    weights = {each.pid: each.memory_full_info().pss for each in family}
    assert sum(weights.values()) < _LIMIT_BYTES, sorted(
        zip(weights.values(), family, strict=True), key=lambda pair: -pair[0]
    )
