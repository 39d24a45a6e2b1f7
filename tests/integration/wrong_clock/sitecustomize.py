"""Python imports this before all else in a process that is to have a wrong clock. Never part of a program."""

import datetime as dt
import os
import time
from typing import Any

_WRONG_BY = int(os.environ["WRONG_CLOCK_SECONDS"])
_Right = dt.datetime
_right_time, _right_time_ns = time.time, time.time_ns


class _Kind(type):
    """What was made by C code is a datetime as well."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Right)


class _Wrong(_Right, metaclass=_Kind):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _Right.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(dt.UTC).replace(tzinfo=None)


time.time = lambda: _right_time() + _WRONG_BY
time.time_ns = lambda: _right_time_ns() + _WRONG_BY * 1_000_000_000
dt.datetime = _Wrong  # type: ignore[misc]
