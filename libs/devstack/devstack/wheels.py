"""Finds the server programs inside installed wheels without importing those packages."""

from importlib.util import find_spec
from pathlib import Path


class WheelIncomplete(Exception):
    """The package is not installed or has no such file for this platform."""


def wheel_directory(package: str) -> Path:
    """Where the package is installed. Raises: WheelIncomplete."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise WheelIncomplete(f"the package {package} is not installed; run `make .venv`")
    return Path(next(iter(spec.submodule_search_locations)))


def wheel_file(package: str, pattern: str) -> Path:
    """The one file of the package that matches. Raises: WheelIncomplete."""
    found = sorted(wheel_directory(package).glob(pattern))
    if not found:
        raise WheelIncomplete(f"the package {package} has no {pattern} for this platform")
    return found[0]
