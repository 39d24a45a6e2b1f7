"""Waiting for something to become true, without sleeping for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.05


async def eventually(probe: Callable[[], T | Awaitable[T]], *, timeout: float = 10.0) -> T:  # noqa: ASYNC109
    """The first truthy answer of `probe`. An AssertionError of the probe counts as "not yet".

    Raises:
        AssertionError: it did not become true within `timeout` seconds; the probe's own one when it has one.
    """
    limit = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        try:
            answer = probe()
            found: T = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
        except AssertionError as error:
            failure = error
        if time.monotonic() > limit:
            raise failure or AssertionError(f"not true within {timeout} s")
        await asyncio.sleep(_PAUSE)
