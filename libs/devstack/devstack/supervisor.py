"""Starts processes, watches and restarts them, ends them. When it dies itself, they end too."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from devstack.commands import ProcessFailed, how_it_ended
from devstack.ports import PortTaken
from devstack.process import ManagedProcess
from devstack.psql import PsqlFailed
from devstack.state import Identity, Phase, ProcessRecord, State, StateFile

_POLL_SECONDS = 0.2
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
_STABLE_AFTER_SECONDS = 60.0
_START_ABORTED_WITHIN_SECONDS = 20.0
_log = logging.getLogger("supervisor")


class AlreadySupervised(Exception):
    """Another supervisor owns this directory."""


class StartAborted(Exception):
    """The platform was asked to end before it was up."""


class Supervisor:
    """Owns the processes of one state directory until it is asked to end."""

    def __init__(
        self,
        state_dir: Path,
        processes: Sequence[ManagedProcess],
        *,
        start: Callable[[Callable[[str], None]], str],
        stop: Callable[[], None],
        links: Mapping[str, str] | None = None,
        explain: Callable[[PortTaken], str] = str,
    ) -> None:
        """Starts nothing yet.

        Args:
            state_dir: where `state.json` is written.
            processes: what to watch once `start` has returned.
            start: starts them, reporting steps; returns what went wrong without preventing the work.
            stop: ends them; may be called twice.
            links: URLs to show, by name.
            explain: how to say that a port is taken.
        """
        self._state_dir = state_dir
        self._file = StateFile(state_dir)
        self._processes = processes
        self._start, self._stop, self._explain = start, stop, explain
        self._asked_to_end = False
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._restarts = dict.fromkeys((process.name for process in processes), 0)
        self._trouble: dict[str, str] = {}
        identity = Identity.of(os.getpid())
        if identity is None:
            raise RuntimeError("this process cannot find itself")
        self._state = State(supervisor=identity, links=dict(links or {}))
        self._written: State | None = None

    def run(self) -> int:
        """Returns the exit code after `end`, or when the start fails.

        Raises:
            AlreadySupervised: another supervisor owns the directory.
        """
        with (self._state_dir / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadySupervised from None
            return self._run()

    def end(self) -> None:
        """Makes `run` end all processes and return. Safe in a signal handler: it takes no lock."""
        self._asked_to_end = True

    def _run(self) -> int:
        threads = [threading.Thread(target=self._start_then_watch, name="start")]
        threads[0].start()
        while not self._asked_to_end and not self._stopping.wait(_POLL_SECONDS):
            self._publish()
        self._stopping.set()
        failed = self._state.phase is Phase.FAILED
        self._change(phase=Phase.FAILED if failed else Phase.STOPPING)
        _log.info("ending all processes")
        self._stop()
        threads[0].join(_START_ABORTED_WITHIN_SECONDS)
        self._stop()  # whatever was being started or restarted meanwhile
        _log.info("ended")
        self._publish()
        if not failed:
            self._file.remove()
        return 1 if failed else 0

    def _start_then_watch(self) -> None:
        try:
            warning = self._start(self._report)
        except StartAborted:
            return
        except PortTaken as taken:
            self._fail(self._explain(taken))
            return
        except (ProcessFailed, PsqlFailed, OSError) as error:
            self._fail(str(error))
            return
        self._change(phase=Phase.READY, error=warning)
        _log.info("ready")
        watchers = [threading.Thread(target=self._watch, args=(process,)) for process in self._processes]
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.join()

    def _watch(self, process: ManagedProcess) -> None:
        delay = _FIRST_DELAY
        alive_since = time.monotonic()
        while not self._stopping.wait(_POLL_SECONDS):
            if process.running:
                if time.monotonic() - alive_since > _STABLE_AFTER_SECONDS:
                    delay = _FIRST_DELAY
                continue
            self._note(process, how_it_ended(process.exit_code))
            if self._stopping.wait(delay):
                return
            delay = min(delay * 2, _LONGEST_DELAY)
            alive_since = time.monotonic()
            self._restart(process)

    def _restart(self, process: ManagedProcess) -> None:
        self._restarts[process.name] += 1
        try:
            process.start()
        except (ProcessFailed, PortTaken, OSError) as error:
            if not self._stopping.is_set():
                self._note(process, str(error))
        else:
            _log.warning("%s was restarted", process.name)

    def _note(self, process: ManagedProcess, trouble: str) -> None:
        self._trouble[process.name] = trouble.splitlines()[0]
        _log.warning("%s: %s", process.name, trouble)

    def _report(self, step: str) -> None:
        if self._stopping.is_set():
            raise StartAborted
        _log.info("%s", step)
        with self._lock:
            self._state = replace(self._state, steps=[*self._state.steps, step])
        self._publish()

    def _fail(self, reason: str) -> None:
        if not self._stopping.is_set():
            _log.error("%s", reason)
            self._change(phase=Phase.FAILED, error=reason)
            self._stopping.set()

    def _change(self, *, phase: Phase, error: str = "") -> None:
        with self._lock:
            self._state = replace(self._state, phase=phase, error=error or self._state.error)
        self._publish()

    def _publish(self) -> None:
        with self._lock:
            self._state = replace(self._state, processes=[self._record(each) for each in self._processes])
            if self._state != self._written:
                self._file.write(self._state)
                self._written = self._state

    def _record(self, process: ManagedProcess) -> ProcessRecord:
        pid = process.pid
        return ProcessRecord(
            name=process.name,
            identity=Identity.of(pid) if pid is not None else None,
            restarts=self._restarts[process.name],
            trouble=self._trouble.get(process.name, ""),
        )
