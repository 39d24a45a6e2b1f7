"""The mail and trace sink as a process: what the platform would send to the world ends here, on loopback."""

from pathlib import Path

import httpx

from devstack.commands import Command, python_module
from devstack.engines.engine import Engine
from devstack.ports import LOOPBACK, pick_port, require_free


class SinkEngine(Engine):
    """`url` serves the page and the JSON of mails and traces; mails survive a restart, traces do not."""

    def __init__(
        self, data_dir: Path, *, port: int = 0, smtp_port: int = 0, log_file: Path | None = None
    ) -> None:
        """`port` is HTTP, `smtp_port` takes the mails."""
        super().__init__("sink", data_dir, port=port, log_file=log_file)
        self.smtp_host = LOOPBACK
        self.smtp_port = smtp_port or pick_port()

    @property
    def url(self) -> str:
        """The page, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def otlp_endpoint(self) -> str:
        """Where OTLP/HTTP exporters post spans."""
        return f"{self.url}/v1/traces"

    def prepare(self) -> None:
        """Raises: PortTaken for the SMTP port."""
        super().prepare()
        require_free(self.smtp_port)

    def command(self) -> Command:
        """Our own program, with this interpreter."""
        ports = ["--port", str(self.port), "--smtp-port", str(self.smtp_port)]
        return Command(python_module("devstack.sink", *ports, "--mails", str(self.data_dir / "mails")))

    def probe(self) -> bool:
        """The page answers; it does so only when SMTP listens too."""
        try:
            return httpx.get(f"{self.url}/healthz", timeout=3, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False
