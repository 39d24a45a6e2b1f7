"""Runs localstripe in this process of its own, narrowed: loopback only, state in a file of the caller's.

Unchanged, the stand-in listens on every interface and keeps its objects in one fixed, world-known file.
"""

import builtins
import io
import os
import runpy
import socket
from pathlib import Path
from typing import Any

_FIXED_STATE = "/tmp/localstripe.pickle"  # noqa: S108 - the name to replace
_state = os.environ["COMPTOIR_STRIPE_STATE"]
_open = builtins.open


class LoopbackSocket(socket.socket):
    """Binds to 127.0.0.1 whatever it is told, on IPv4 even where IPv6 is asked for."""

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:  # noqa: A002
        super().__init__(socket.AF_INET if family == socket.AF_INET6 else family, type, proto, fileno)

    def bind(self, address: Any, /) -> None:
        """As asked, but on loopback."""
        super().bind(("127.0.0.1", address[1]) if self.family == socket.AF_INET else address)


class AtomicFile(io.FileIO):
    """Replaces the state when closed, so that a kill -9 leaves the old or the new one."""

    def close(self) -> None:
        """Puts the new state in place."""
        was_open = not self.closed
        super().close()
        if was_open:
            Path(f"{_state}.new").replace(_state)


def open_state(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    """`open`, with the fixed state file replaced by ours."""
    if file != _FIXED_STATE:
        return _open(file, mode, *arguments, **options)
    if "w" in mode:
        return AtomicFile(f"{_state}.new", "w")
    return _open(_state, mode, *arguments, **options)


os.umask(0o077)
socket.socket = LoopbackSocket  # type: ignore[misc]
builtins.open = open_state
runpy.run_module("localstripe", run_name="__main__", alter_sys=True)
