"""Loads the fixtures that every suite shares."""

import gateway  # noqa: F401  # before pytest names tests by path and takes the folder gateway/ for the package

pytest_plugins = ["testkit.plugin"]
