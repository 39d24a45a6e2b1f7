"""Trying again what lost to somebody quicker."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from booking.store.days import Lost
from servicekit.errors import Busy

_ATTEMPTS = 5

T = TypeVar("T")


async def until_first(attempt: Callable[[], Awaitable[T]]) -> T:
    """What an attempt answers that was not too slow. Each is a transaction of its own.

    Raises:
        Busy: all attempts were too slow; and what an attempt raises.
    """
    for _ in range(_ATTEMPTS):
        with suppress(Lost):
            return await attempt()
    raise Busy
