"""Test support for every suite: real engines, real databases, a guarded edge, waiting without sleeping."""

from testkit.waiting import eventually

__all__ = ["eventually"]
