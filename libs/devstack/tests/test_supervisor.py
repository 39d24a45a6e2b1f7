"""The supervisor on tiny programs: restart, report, end, and never end what is not its own."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devstack.commands import ProcessFailed
from devstack.control import end_leftovers
from devstack.process import ManagedProcess
from devstack.state import Identity, Phase, ProcessRecord, State, StateFile
from devstack.supervisor import AlreadySupervised, Supervisor
from testkit import eventually

Report = Callable[[str], None]

_DEAF = """
import signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


class Running:
    """A supervisor in a thread of this process."""

    def __init__(self, directory: Path, *processes: ManagedProcess) -> None:
        self.file = StateFile(directory)
        self.processes = processes
        self.code: int | None = None
        self.supervisor = Supervisor(
            directory,
            processes,
            start=self.start,
            stop=self.stop,
            explain=lambda taken: f"port {taken.port} is taken",
        )
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        self.code = self.supervisor.run()

    def start(self, report: Report) -> str:
        for process in self.processes:
            process.start()
            report(f"{process.name} is ready")
        return ""

    def stop(self) -> None:
        for process in self.processes:
            process.stop()

    def end(self) -> None:
        self.supervisor.end()
        self.thread.join(20)

    @property
    def state(self) -> State:
        state = self.file.read()
        assert state is not None
        return state

    async def ready(self) -> State:
        await eventually(lambda: self.state.phase is Phase.READY)
        return self.state


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*processes: ManagedProcess) -> Running:
        started.append(Running(tmp_path, *processes))
        return started[-1]

    yield start
    for running in started:
        running.end()


async def test_it_reports_steps_and_processes_and_ends_them_when_asked(
    supervise: Callable[..., Running], new_program: Callable[..., ManagedProcess]
) -> None:
    running = supervise(new_program("one"), new_program("two"))
    state = await running.ready()
    assert state.steps == ["one is ready", "two is ready"]
    pids = [record.identity.pid for record in state.processes if record.identity]
    assert pids == [process.pid for process in running.processes]

    running.end()

    assert running.code == 0
    assert running.file.read() is None
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def _listens(process: ManagedProcess) -> bool:
    try:
        return process.probe()
    except ConnectionRefusedError:
        return False


async def test_a_crashed_process_is_restarted_and_reported(
    supervise: Callable[..., Running], new_program: Callable[..., ManagedProcess]
) -> None:
    running = supervise(new_program("booking"))
    before = (await running.ready()).processes[0]
    assert before.identity is not None

    psutil.Process(before.identity.pid).kill()
    await eventually(lambda: running.state.processes[0].restarts == 1)
    await eventually(lambda: running.state.processes[0].identity)

    after = running.state.processes[0]
    assert after.identity != before.identity
    assert after.trouble == "was ended by SIGKILL"
    await eventually(lambda: _listens(running.processes[0]))


async def test_a_process_that_cannot_start_fails_the_start_and_ends_the_others(
    supervise: Callable[..., Running], new_program: Callable[..., ManagedProcess]
) -> None:
    good, bad = new_program("good"), new_program("bad", script="raise SystemExit('no such table')")
    running = supervise(good, bad)
    await eventually(lambda: running.code is not None)

    assert (running.code, running.state.phase) == (1, Phase.FAILED)
    assert "no such table" in running.state.error
    assert not good.running


async def test_a_taken_port_is_one_line(
    supervise: Callable[..., Running], new_program: Callable[..., ManagedProcess]
) -> None:
    first = new_program("first")
    first.start()
    second = new_program("second")
    second.port = first.port
    running = supervise(second)
    await eventually(lambda: running.code is not None)
    assert running.state.error == f"port {first.port} is taken"
    assert first.running


async def test_a_second_supervisor_of_the_same_directory_is_refused(
    tmp_path: Path, supervise: Callable[..., Running], new_program: Callable[..., ManagedProcess]
) -> None:
    await supervise(new_program("one")).ready()
    with pytest.raises(AlreadySupervised):
        Supervisor(tmp_path, [], start=lambda _: "", stop=lambda: None).run()


async def test_being_asked_to_end_while_starting_ends_what_was_started(
    supervise: Callable[..., Running], new_program: Callable[..., ManagedProcess]
) -> None:
    mute = new_program("mute", script="import time; time.sleep(60)")
    running = supervise(new_program("one"), mute)
    await eventually(lambda: mute.running)

    running.end()

    assert running.code == 0
    assert not [process.name for process in running.processes if process.running]


def test_leftovers_are_ended_and_recycled_ids_are_left_alone(
    new_program: Callable[..., ManagedProcess],
) -> None:
    ours, foreign = new_program("ours"), new_program("foreign")
    ours.start()
    foreign.start()
    ours_now, foreign_now = identify(ours), identify(foreign)
    recycled = Identity(foreign_now.pid, foreign_now.started - 3600)

    end_leftovers(a_state(ours_now, recycled))

    assert (ours.running, foreign.running) == (False, True)


def identify(process: ManagedProcess) -> Identity:
    assert process.pid is not None
    identity = Identity.of(process.pid)
    assert identity is not None
    return identity


def a_state(*identities: Identity) -> State:
    records = [ProcessRecord(name=str(identity.pid), identity=identity) for identity in identities]
    return State(supervisor=Identity(os.getpid(), 0.0), processes=records)


def test_a_broken_state_file_counts_as_none(tmp_path: Path) -> None:
    for content in ("", "{", "[]", '{"supervisor": {}}'):
        (tmp_path / "state.json").write_text(content)
        assert StateFile(tmp_path).read() is None


_PARENT = """
import sys
from devstack.commands import Command, spawn
from pathlib import Path
child = spawn(Command([sys.executable, "-c", "import time; time.sleep(60)"]), Path(sys.argv[1]))
gone = spawn(Command([sys.executable, "-c", ""]), Path(sys.argv[1]))
gone.wait()
from devstack.guard import guard
guard.forget(gone.pid)
print(child.pid, flush=True)
sys.stdin.read()
"""


def spawn_then_die(log: Path) -> Identity:
    command = [sys.executable, "-c", _PARENT, str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = Identity.of(int(parent.stdout.readline()))
        assert child is not None
        assert child.find() is not None
        parent.kill()
    return child


async def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    child = spawn_then_die(tmp_path / "log")
    await eventually(lambda: child.find() is None)


def test_a_silent_process_is_killed_after_its_time(new_program: Callable[..., ManagedProcess]) -> None:
    mute = new_program("mute", script="import time; print('thinking', flush=True); time.sleep(60)")
    mute.start_timeout = 1.0
    with pytest.raises(ProcessFailed, match="did not answer within 1 s\n  thinking"):
        mute.start()
    assert not mute.running


def test_a_process_that_ignores_the_request_to_end_is_killed(
    new_program: Callable[..., ManagedProcess],
) -> None:
    deaf = new_program("deaf", script=_DEAF)
    deaf.stop_timeout = 0.5
    deaf.start()
    deaf.stop()
    assert deaf.exit_code == -9
