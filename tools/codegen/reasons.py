"""Every refusal of the platform, from the code of all its programs."""

from collections.abc import Iterator
from importlib import import_module

from servicekit import errors
from servicekit.contract import CONTEXTS
from servicekit.errors import AppError


def catalogue() -> Iterator[type[AppError]]:
    """`errors.catalogue` with everything loaded that may refuse: some of it only where a service serves."""
    for context in CONTEXTS:
        import_module(f"{context}.__main__")
        import_module(f"{context}.servicer")
    import_module("gateway.errors")
    import_module("gateway.live.errors")
    return errors.catalogue()
