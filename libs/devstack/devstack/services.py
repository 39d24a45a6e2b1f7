"""One process of a service or of the gateway: how it is started and when it is ready."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from devstack.commands import Command, python_module
from devstack.ports import LOOPBACK, pick_port, require_free
from devstack.process import ManagedProcess
from devstack.topology import FOLLOWER, GATEWAY, program_of

_ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576"}
"""As in the image: what a burst took, such as the memory of password hashes, goes back to the system."""


class ServiceProcess(ManagedProcess):
    """`port` is RPC (the gateway's: HTTP; its follower's: nothing), `admin_port` has health and metrics."""

    start_timeout = 120.0  # twenty of them may start together on two cores
    stop_timeout = 15.0

    def __init__(self, kind: str, *, number: int, port: int, admin_port: int, log_file: Path) -> None:
        """`number` counts the processes of a kind from 1; the environment is given before the start."""
        super().__init__(kind if number == 1 else f"{kind}-{number}", port=port, log_file=log_file)
        self.kind = kind
        self.program = program_of(kind)
        self.admin_port = admin_port or pick_port()
        self.environment: Mapping[str, str] = {}

    @property
    def address(self) -> str:
        """Where it serves, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def admin_url(self) -> str:
        """Base of /healthz, /readyz and /metrics."""
        return f"http://{LOOPBACK}:{self.admin_port}"

    def prepare(self) -> None:
        """Refuses a taken admin port.

        Raises:
            PortTaken: somebody listens there.
        """
        require_free(self.admin_port)

    def command(self) -> Command:
        """All roles in one process; the gateway's are two, each in its own."""
        role = {GATEWAY: "serve", FOLLOWER: "follow"}.get(self.kind, "all")
        return Command(python_module(self.program, role), environment={**_ALLOCATOR, **self.environment})

    def probe(self) -> bool:
        """Whether /readyz says yes."""
        try:
            answer = httpx.get(f"{self.admin_url}/readyz", timeout=2, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK
