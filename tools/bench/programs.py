"""Programs of the bench beside the platform's: one role of a service, another gateway, bare ones."""

import socket
from collections.abc import Mapping
from pathlib import Path

from devstack.commands import Command, python_module
from devstack.ports import LOOPBACK
from devstack.process import ManagedProcess
from devstack.services import ServiceProcess


class RoleProcess(ServiceProcess):
    """A program of the platform in one role, with an environment of its own."""

    def __init__(
        self, name: str, program: str, role: str, *, environment: Mapping[str, str], log_file: Path
    ) -> None:
        """`environment` is the platform's for this program; the addresses are replaced by free ones."""
        super().__init__(program, number=1, port=0, admin_port=0, log_file=log_file)
        self.name = name
        self._role = role
        prefix = program.upper()
        listener = "HTTP" if program == "gateway" else "RPC"
        self.environment = {
            **environment,
            f"{prefix}_{listener}__LISTEN": self.address,
            f"{prefix}_ADMIN__LISTEN": f"{LOOPBACK}:{self.admin_port}",
        }

    def command(self) -> Command:
        """One role only."""
        return Command(python_module(self.program, self._role), environment=self.environment)


class BareProcess(ManagedProcess):
    """A module of the bench; it answers when its port takes connections."""

    def __init__(self, name: str, module: str, *arguments: str, log_file: Path) -> None:
        """`{port}` in an argument becomes the port."""
        super().__init__(name, port=0, log_file=log_file)
        self._module = module
        self._arguments = arguments

    @property
    def address(self) -> str:
        """Where it serves, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> Command:
        """The module with its arguments."""
        arguments = (argument.format(port=self.port) for argument in self._arguments)
        return Command(python_module(self._module, *arguments))

    def probe(self) -> bool:
        """Whether a connection is taken."""
        with socket.create_connection((LOOPBACK, self.port), timeout=2):
            return True
