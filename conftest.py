"""Loads the fixtures that every suite shares, and says which tests stay together in one worker."""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

import gateway  # noqa: F401  # before pytest names tests by path and takes the folder gateway/ for the package

pytest_plugins = ["testkit.plugin"]

_CALM, _STORMY = "a platform", "a platform where processes die"
_ALSO_STORMY = {"test_clients.py", "test_late_payment.py", "test_rolling_restart.py"}


class _ByFixtures(LoadScopeScheduling):
    """The tests of one file share its fixtures; those below tests/ share every process of two platforms."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


def _scope(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    if not file.startswith("tests/"):
        return file
    name = Path(file).name
    return _STORMY if "faults" in name or name in _ALSO_STORMY else _CALM


def _turn(item: pytest.Item) -> int:
    """What takes longest comes first, or one worker would end long after the others."""
    scope = _scope(item.nodeid)
    return (_STORMY, _CALM, scope).index(scope)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False
    return _ByFixtures(config, log)
