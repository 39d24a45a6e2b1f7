"""CPU seconds of process trees, as the operating system counts them."""

import psutil


class Cpu:
    """CPU spent by named process trees since it was made."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._before = {name: spent(pid) for name, pid in pids.items()}

    def since(self) -> dict[str, float]:
        """Seconds by name."""
        return {name: spent(pid) - self._before[name] for name, pid in self._pids.items()}


def spent(pid: int) -> float:
    """User and system seconds of a process, its children, and children that ended."""
    total = 0.0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    ended = root.cpu_times()
    return total + ended.children_user + ended.children_system
