"""One child process: start until it answers, stop, kill -9, restart, log. What it does is not known here."""

import contextlib
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import psutil

from devstack.commands import Command, ProcessFailed, how_it_ended, last_lines, spawn
from devstack.guard import guard
from devstack.ports import pick_port, require_free

_PROBE_EVERY_SECONDS = 0.05


class ManagedProcess(ABC):
    """Lives at most as long as the process that started it. Methods may be called from any thread."""

    start_timeout: float = 60.0
    stop_timeout: float = 10.0
    stop_signal: signal.Signals = signal.SIGTERM
    failure: ClassVar[type[ProcessFailed]] = ProcessFailed

    def __init__(self, name: str, *, port: int, log_file: Path) -> None:
        """`port` 0 picks a free one, which then stays the same over restarts."""
        self.name = name
        self.port = port or pick_port()
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @abstractmethod
    def command(self) -> Command:
        """What to execute now."""

    @abstractmethod
    def probe(self) -> bool:
        """Whether the process answers its own protocol; may raise OSError for "not yet"."""

    def prepare(self) -> None:  # noqa: B027 - most processes need nothing
        """Brings files into place before each start."""

    @property
    def pid(self) -> int | None:
        """The running process' id."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process exists; says nothing about its health."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended: negative for a signal, None while running or before the first start."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Returns when the process answers; does nothing when it runs.

        Raises:
            PortTaken: somebody else listens on its port.
            ProcessFailed: with the last log lines.
        """
        with self._lock:
            if self.running:
                return
            self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Starts without waiting.

        Raises:
            PortTaken: somebody else listens on its port.
            ProcessFailed: it cannot be executed.
        """
        with self._lock:
            if self._process is not None:
                guard.forget(self._process.pid)
            require_free(self.port)
            self.prepare()
            try:
                self._process = spawn(self.command(), self.log_file)
            except OSError as error:
                raise self.failed(f"cannot be executed: {error.strerror}") from error

    def wait_ready(self) -> None:
        """Returns when the process answers; kills it when it stays silent for `start_timeout` seconds.

        Raises:
            ProcessFailed: it ended or stayed silent.
        """
        deadline = time.monotonic() + self.start_timeout
        while True:
            if not self.running:
                raise self.failed(f"{how_it_ended(self.exit_code)} before it answered")
            if self._answers():
                return
            if time.monotonic() > deadline:
                self.kill()
                raise self.failed(f"did not answer within {self.start_timeout:g} s")
            time.sleep(_PROBE_EVERY_SECONDS)

    def stop(self) -> None:
        """Asks the process to end, and kills it when it has not after `stop_timeout` seconds."""
        with self._lock:
            if self._process is None:
                return
            if self.running:
                self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(self.stop_timeout)
            except subprocess.TimeoutExpired:
                self.kill()
            guard.forget(self._process.pid)

    def kill(self) -> None:
        """Kills with signal 9 the process and all it has started."""
        with self._lock:
            if self._process is None:
                return
            descendants = _descendants(self._process.pid)
            self._process.kill()
            for child in descendants:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self._process.wait()
            _wait_until_gone(descendants, timeout=self.stop_timeout)
            guard.forget(self._process.pid)

    def restart(self) -> None:
        """Stops, then starts on the same port and data. Raises as `start`."""
        self.stop()
        self.start()

    def read_log(self) -> str:
        """All that the process wrote, over restarts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def failed(self, reason: str) -> ProcessFailed:
        """The error that says why, with the end of the log."""
        return self.failure(self.name, reason, log=last_lines(self.log_file))

    def _answers(self) -> bool:
        try:
            return self.probe()
        except OSError:
            return False


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _wait_until_gone(processes: list[psutil.Process], *, timeout: float) -> None:
    # An unreaped zombie (a container without an init) is gone too: it holds neither ports nor memory.
    deadline = time.monotonic() + timeout
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
