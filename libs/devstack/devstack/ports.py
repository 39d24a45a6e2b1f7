"""Loopback ports: picks free ones and says who holds a taken one. It never opens a port for anybody else."""

import errno
import random
import socket

import psutil

LOOPBACK = "127.0.0.1"
# Below the ephemeral range, so that no outgoing connection takes a port between kill and restart.
_FIRST, _LAST = 20_000, 32_000
_given: set[int] = set()


class PortTaken(Exception):
    """Another process listens on the port; `holder` names it when the system tells."""

    def __init__(self, port: int, *, holder: str | None = None) -> None:
        self.port = port
        self.holder = holder
        super().__init__(f"port {port} is taken" + (f" by {holder}" if holder else ""))


def pick_port() -> int:
    """A port nobody listens on and that this process was not given before."""
    for _ in range(500):
        port = random.randint(_FIRST, _LAST)  # noqa: S311 - not a secret
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def require_free(port: int) -> None:
    """Refuses a taken port.

    Raises:
        PortTaken: somebody listens there.
    """
    if not is_free(port):
        raise PortTaken(port, holder=find_holder(port))


def find_holder(port: int) -> str | None:
    """Name and pid of the listener, or None when the system does not tell this user."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return _describe(connection.pid)
    return None


def _describe(pid: int | None) -> str | None:
    if pid is None:
        return None
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
