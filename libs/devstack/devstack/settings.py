"""What a developer may choose: ports, foreign engines, overrides. From the environment first, then `.env`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from dotenv import dotenv_values

from devstack.topology import PROCESSES, PROGRAMS

_HIGHEST_PORT = 65_535
_BLOCKS = {"rpc": len(PROGRAMS), "admin": len(PROCESSES)}


class SettingsInvalid(Exception):
    """A variable cannot be what it is; the text names it."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports; 0 picks a free one.

    `rpc` is the first of seven, ordered as PROGRAMS, and `admin` of eight, ordered as PROCESSES.
    """

    gateway: int = 0
    sink: int = 0
    smtp: int = 0
    postgres: int = 0
    valkey: int = 0
    broker: int = 0
    stripe: int = 0
    rpc: int = 0
    admin: int = 0

    def rpc_of(self, program: str) -> int:
        """The program's own port of the RPC block."""
        return self.rpc and self.rpc + PROGRAMS.index(program)

    def admin_of(self, process: str) -> int:
        """The process' own port of the admin block."""
        return self.admin and self.admin + PROCESSES.index(process)

    def variable_for(self, port: int) -> str:
        """Which variable moves this port away."""
        for block, size in _BLOCKS.items():
            first: int = getattr(self, block)
            if first <= port < first + size:
                return _variable(block)
        return next(_variable(each.name) for each in fields(self) if getattr(self, each.name) == port)


DEFAULT_PORTS = Ports(
    gateway=8080,
    sink=8025,
    smtp=1025,
    postgres=54329,
    valkey=63790,
    broker=19092,
    stripe=8420,
    rpc=7001,
    admin=7101,
)


@dataclass(frozen=True, slots=True)
class ForeignEngines:
    """URLs of engines that run elsewhere and replace the embedded ones."""

    postgres_url: str | None = None
    """A superuser's URL."""
    redis_url: str | None = None
    kafka_bootstrap: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `make up` reads before it starts anything."""

    state_dir: Path
    ports: Ports = DEFAULT_PORTS
    foreign: ForeignEngines = ForeignEngines()
    seed: bool = True
    """Whether the demo organization is made."""
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Program → variables of its own that `.env` sets, such as BOOKING_DATABASE__POOL_SIZE."""


def read_settings(root: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads `root/.env` and the environment, which wins.

    Raises:
        SettingsInvalid: a port is not one or is used twice; a switch is neither on nor off.
    """
    written = {name: value for name, value in dotenv_values(root / ".env").items() if value}
    given = {**written, **(os.environ if environ is None else environ)}
    found = {name: value for name, value in given.items() if value}  # empty means: not set
    return Settings(
        state_dir=(root / found.get("COMPTOIR_STATE_DIR", ".comptoir")).absolute(),
        ports=_read_ports(found),
        foreign=ForeignEngines(
            postgres_url=found.get("COMPTOIR_POSTGRES_URL"),
            redis_url=found.get("COMPTOIR_REDIS_URL"),
            kafka_bootstrap=found.get("COMPTOIR_KAFKA_BOOTSTRAP"),
        ),
        seed=_read_switch(found, "COMPTOIR_SEED"),
        overrides={
            program: {
                name: value for name, value in written.items() if name.startswith(f"{program.upper()}_")
            }
            for program in PROGRAMS
        },
    )


def _read_switch(found: Mapping[str, str], variable: str) -> bool:
    text = found.get(variable, "on")
    if text not in {"on", "off"}:
        raise SettingsInvalid(f"{variable} must be on or off")
    return text == "on"


def _read_ports(found: Mapping[str, str]) -> Ports:
    chosen = {}
    for each in fields(Ports):
        variable = _variable(each.name)
        text = found.get(variable, str(getattr(DEFAULT_PORTS, each.name)))
        if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST_PORT:
            raise SettingsInvalid(f"{variable} must be a port between 1 and {_HIGHEST_PORT}")
        chosen[each.name] = int(text)
    _refuse_shared_ports(chosen)
    return Ports(**chosen)


def _refuse_shared_ports(chosen: Mapping[str, int]) -> None:
    users: dict[int, str] = {}
    for name, first in chosen.items():
        for port in range(first, first + _BLOCKS.get(name, 1)):
            if port in users:
                raise SettingsInvalid(f"{_variable(name)} and {users[port]} both use port {port}")
            users[port] = _variable(name)


def _variable(name: str) -> str:
    return f"COMPTOIR_{name.upper()}_PORT"
