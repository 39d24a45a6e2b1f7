"""What all embedded engines share: a directory of their own and an error that names the engine."""

from pathlib import Path
from typing import ClassVar

from devstack.commands import ProcessFailed
from devstack.process import ManagedProcess


class EngineFailed(ProcessFailed):
    """An embedded engine did not start: `name`, `reason`, and its last `log` lines."""


class Engine(ManagedProcess):
    """A server on loopback with its data in `data_dir`; it ends with the process that started it."""

    failure: ClassVar[type[ProcessFailed]] = EngineFailed

    def __init__(self, name: str, data_dir: Path, *, port: int, log_file: Path | None) -> None:
        """The log goes to `data_dir/<name>.log` unless said otherwise."""
        self.data_dir = data_dir.absolute()
        super().__init__(name, port=port, log_file=log_file or self.data_dir / f"{name}.log")

    def prepare(self) -> None:
        """Makes the directory, closed to other users."""
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
