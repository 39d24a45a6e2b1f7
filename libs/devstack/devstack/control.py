"""`make up`, `down`, `reset`, `status`: end only what `state.json` names, delete only our own files."""

import shutil
import subprocess
import time
from collections.abc import Iterator

import psutil
from rich.console import Console

from devstack import views
from devstack.commands import last_lines, python_module
from devstack.engines.postgres import forget_postgres
from devstack.engines.unprivileged import NoPlaceForPostgres
from devstack.settings import Settings
from devstack.state import Identity, Phase, State, StateFile

_START_SECONDS = 300.0
_DOWN_SECONDS = 60.0
_LEFTOVER_SECONDS = 10.0
_POLL_SECONDS = 0.1
_OURS = ("data", "secrets", "logs", "state.json", "state.new", "demo.json", "demo.draft", "lock")


class CommandFailed(Exception):
    """A command could not do its work; the text is for the developer."""


def up(settings: Settings, console: Console) -> int:
    """Starts the platform in the background, or says that it runs. 0 when everything is ready.

    Raises:
        CommandFailed: it could not start, or the demo data could not be made.
    """
    file = StateFile(settings.state_dir)
    state = _settled(file)
    supervisor = None
    if state is not None and state.running:
        console.print("Comptoir is running already.")
    else:
        if state is not None:
            end_leftovers(state)
        file.remove()
        supervisor = _start_supervisor(settings)
    started = time.monotonic()
    ready = state is not None and supervisor is None and state.phase is Phase.READY
    final = state if ready and state else _follow_start(settings, console, supervisor)
    if final.phase is not Phase.READY:
        _settled(file)
        raise CommandFailed(final.error or "the platform was ended while it started")
    views.show_ready(console, final, settings.state_dir)
    if not ready:
        console.print(f"Ready after {time.monotonic() - started:.0f} s.", highlight=False)
    if final.error:
        raise CommandFailed(final.error)
    return 0


def down(settings: Settings, console: Console) -> int:
    """Ends what the supervisor started, and nothing else; also when the supervisor itself was killed."""
    ended = _end(settings, console)
    console.print("Comptoir is down; its data are kept." if ended else "Comptoir is not running.")
    return 0


def _end(settings: Settings, console: Console) -> bool:
    """False when there was nothing to end."""
    file = StateFile(settings.state_dir)
    state = file.read()
    if state is None:
        return False
    supervisor = state.supervisor.find()
    if supervisor is not None:
        console.print("Ending all processes …")
        supervisor.terminate()
        _wait_or_kill([supervisor], seconds=_DOWN_SECONDS)
    end_leftovers(file.read() or state)
    file.remove()
    return True


def reset(settings: Settings, console: Console) -> int:
    """Ends everything and forgets all data and secrets of this state directory.

    Raises:
        CommandFailed: something is not where this program put it; nothing foreign was deleted.
    """
    _end(settings, console)
    try:
        forget_postgres(settings.state_dir / "data" / "postgres")
    except NoPlaceForPostgres as refused:
        raise CommandFailed(str(refused)) from refused
    for name in _OURS:
        path = settings.state_dir / name
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    console.print("Comptoir is down; all its data and secrets are forgotten.")
    return 0


def status(settings: Settings, console: Console) -> int:
    """Shows every process; 0 when all of them run."""
    state = StateFile(settings.state_dir).read()
    if state is None or not state.running:
        console.print("Comptoir is not running.")
        return 1
    views.show_status(console, state)
    return 0 if all(each.identity and each.identity.find() for each in state.processes) else 1


def end_leftovers(state: State) -> None:
    """Ends recorded processes that outlived their supervisor; a process with a recycled id is left alone."""
    identities = [record.identity for record in state.processes if record.identity is not None]
    _wait_or_kill(
        [process for each in identities if (process := _ask_to_end(each))], seconds=_LEFTOVER_SECONDS
    )


def _ask_to_end(identity: Identity) -> psutil.Process | None:
    process = identity.find()
    if process is not None:
        process.terminate()
    return process


def _wait_or_kill(processes: list[psutil.Process], *, seconds: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=_LEFTOVER_SECONDS)


def _settled(file: StateFile) -> State | None:
    """The state, once a supervisor that is ending has ended."""
    state = file.read()
    if state is not None and state.phase in {Phase.FAILED, Phase.STOPPING}:
        supervisor = state.supervisor.find()
        if supervisor is not None:
            psutil.wait_procs([supervisor], timeout=_DOWN_SECONDS)
        return file.read()
    return state


def _start_supervisor(settings: Settings) -> subprocess.Popen[bytes]:
    logs = settings.state_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.state_dir.chmod(0o700)
    with (logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            python_module("devstack", "supervise"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow_start(settings: Settings, console: Console, supervisor: subprocess.Popen[bytes] | None) -> State:
    """Prints each step once, until the start has ended one way or the other."""
    shown = 0
    for state in _states(settings, supervisor):
        for step in state.steps[shown:]:
            console.print(f"  {step}", highlight=False, markup=False)
        shown = len(state.steps)
        if state.phase is not Phase.STARTING:
            return state
    log = last_lines(settings.state_dir / "logs" / "supervisor.log")
    raise CommandFailed("\n  ".join(["the platform did not get ready:", *log]))


def _states(settings: Settings, supervisor: subprocess.Popen[bytes] | None) -> Iterator[State]:
    """The state over and over, while its supervisor lives."""
    file = StateFile(settings.state_dir)
    deadline = time.monotonic() + _START_SECONDS
    ended = False
    while not ended and time.monotonic() < deadline:
        ended = supervisor is not None and supervisor.poll() is not None
        state = file.read()
        if state is not None:
            yield state
            ended = ended or not state.running
        time.sleep(_POLL_SECONDS)
