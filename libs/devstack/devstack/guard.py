"""Ends child processes when this process dies without cleaning up (kill -9); never touches others."""

import atexit
import subprocess
import threading

# Parent-death signals follow the forking *thread* on Linux and do not exist elsewhere; a pipe does neither.
# The guard reads "+ pid" and "- pid"; end of file means that this process is gone.
_SCRIPT = """
trap '' INT TERM HUP
pids=''
while read -r operation pid; do
  case "$operation" in
    +) pids="$pids $pid" ;;
    -) kept=''; for one in $pids; do [ "$one" = "$pid" ] || kept="$kept $one"; done; pids="$kept" ;;
  esac
done
[ -n "$pids" ] || exit 0
any_alive() { for one in $pids; do kill -0 "$one" 2>/dev/null && return 0; done; return 1; }
kill -TERM $pids 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do any_alive || exit 0; sleep 0.5; done
kill -KILL $pids 2>/dev/null
"""


class Guard:
    """One small shell process that outlives this one by the time it takes to end its children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, pid: int) -> None:
        """From now on the child ends when this process does."""
        self._tell(f"+ {pid}\n")

    def forget(self, pid: int) -> None:
        """The child has ended: its number may soon be another's."""
        self._tell(f"- {pid}\n")

    def close(self) -> None:
        """Ends the guard and whatever child is still watched."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                self._process = None

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(  # noqa: S603 - fixed script
                    ["/bin/sh", "-c", _SCRIPT],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


guard = Guard()
atexit.register(guard.close)
