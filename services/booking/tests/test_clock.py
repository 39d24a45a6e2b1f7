"""The booking service has no clock: what it decides by is the database's, so no host's clock can be wrong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import booking

_WALL_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "gmtime", "localtime", "clock_gettime"}
_MODULES = {"datetime", "date", "time", "dt"}


def clock_readings(source: str) -> Iterator[int]:
    """The lines in which a program asks the host for the time. How much of it has passed is no such thing."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=name, value=ast.Name(id=owner) | ast.Attribute(attr=owner))
            ) if name in _WALL_CLOCKS and owner in _MODULES:
                yield node.lineno
            case ast.ImportFrom(module="time", names=names) if {each.name for each in names} & _WALL_CLOCKS:
                yield node.lineno


def test_nothing_in_the_service_asks_the_host_for_the_time() -> None:
    root = Path(booking.__file__).parent
    found = {
        f"{path.relative_to(root)}:{line}"
        for path in root.rglob("*.py")
        for line in clock_readings(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "date.today()",
        "time.time()",
        "from time import time",
        "later = datetime.utcnow() + ttl",
    ],
)
def test_control_such_a_line_is_found(source: str) -> None:
    assert list(clock_readings(source)) == [1]


@pytest.mark.parametrize(
    "source", ["tx.now", "time.monotonic()", "days.now", "datetime.fromtimestamp(start)"]
)
def test_control_the_time_of_the_database_is_not(source: str) -> None:
    assert list(clock_readings(source)) == []
