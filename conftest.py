"""Loads the fixtures that every suite shares, and says which tests stay together in one worker."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

import gateway  # noqa: F401  # before pytest names tests by path and takes the folder gateway/ for the package

pytest_plugins = ["testkit.plugin"]


class _ByFixtures(LoadScopeScheduling):
    """The tests of one file share its fixtures; those below tests/ share every process of one platform."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "the platform" if file.startswith("tests/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFixtures(config, log)
