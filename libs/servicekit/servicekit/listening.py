"""Addresses to listen on, and the one error that says why one cannot be had."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class CannotListen(OSError):
    """The address is taken, or not ours; the text names it."""


def bind(listen: str) -> socket.socket:
    """A socket that listens on `listen` (host:port; an IPv6 host in brackets).

    Raises:
        CannotListen: the address is taken or not ours.
    """
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
        raise CannotListen(f"cannot listen on {listen}: {reason}") from error


@contextmanager
def exit_when_taken() -> Iterator[None]:
    """Ends the process with one line and exit code 1 when an address cannot be had."""
    try:
        yield
    except CannotListen as refused:
        sys.exit(str(refused))
