"""Loads the fixtures that every suite shares, and says which tests stay together in one worker."""

import pytest

import gateway  # noqa: F401  # before pytest names tests by path and takes the folder gateway/ for the package

pytest_plugins = ["testkit.plugin"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of one file share its fixtures: they stay together, unless they belong to a greater group."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
