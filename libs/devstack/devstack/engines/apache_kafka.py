"""Apache Kafka in KRaft mode as a JVM process, from jars that Maven fetches once. For tests only."""

import base64
import os
import secrets
import shutil
from pathlib import Path

from devstack.commands import Command, ProcessFailed, run_to_end
from devstack.engines import kafka_probe
from devstack.engines.engine import Engine, EngineFailed
from devstack.ports import LOOPBACK, pick_port

VERSION = "4.1.2"
DEFAULT_JARS = Path(".comptoir/kafka-jars")
_FETCH_SECONDS, _FORMAT_SECONDS = 600.0, 60.0
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>comptoir</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


class ApacheKafkaEngine(Engine):
    """`url` is the bootstrap address. Topics, records and offsets survive a restart and a kill -9.

    Needs Java 17 or newer, and for the first start ever Maven with its network.
    """

    start_timeout = 90.0
    stop_timeout = 30.0

    def __init__(
        self, data_dir: Path, *, port: int = 0, log_file: Path | None = None, jars: Path = DEFAULT_JARS
    ) -> None:
        """`jars` is the cache of what Maven fetched, shared by every engine of this version."""
        super().__init__("apache-kafka", data_dir, port=port, log_file=log_file)
        self._controller_port = pick_port()
        self._jars = jars.absolute() / VERSION

    @property
    def url(self) -> str:
        """Kafka bootstrap servers, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Fetches the jars and formats the storage, each once.

        Raises:
            EngineFailed: java or mvn is missing, or one of them failed.
        """
        super().prepare()
        self._require("java", "Java 17 or newer")
        if not self._jars.exists():
            self._fetch_jars()
        self._properties.write_text(self._configuration(), encoding="utf-8")
        if not (self._storage / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
            arguments = ["format", "-t", cluster, "-c", str(self._properties)]
            self._run(self._java("kafka.tools.StorageTool", *arguments), timeout=_FORMAT_SECONDS)

    def command(self) -> Command:
        """Broker and controller in one process."""
        return self._java("kafka.Kafka", str(self._properties))

    def probe(self) -> bool:
        """An ApiVersions request answered without an error code."""
        return kafka_probe.answers(self.port)

    @property
    def _storage(self) -> Path:
        return self.data_dir / "log"

    @property
    def _properties(self) -> Path:
        return self.data_dir / "server.properties"

    def _configuration(self) -> str:
        broker, controller = self.url, f"{LOOPBACK}:{self._controller_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._storage),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",  # tests do not wait for six seconds
            "auto.create.topics.enable": "false",
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _java(self, main: str, *arguments: str) -> Command:
        options = ["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{self._jars}/*"]
        return Command(["java", *options, main, *arguments], directory=self.data_dir)

    def _fetch_jars(self) -> None:
        """Appears complete or not at all, also when two start at once."""
        self._require("mvn", "Maven, to fetch Kafka's jars")
        draft = self._jars.with_name(f"{VERSION}.{os.getpid()}")
        draft.mkdir(parents=True, exist_ok=True)
        pom = self.data_dir / "pom.xml"
        pom.write_text(_POM, encoding="utf-8")
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={draft}"]
        fetch = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", *options]
        try:
            self._run(Command(fetch, directory=self.data_dir), timeout=_FETCH_SECONDS)
            draft.rename(self._jars)
        except OSError:  # another start was faster, and its jars are as good
            if not self._jars.exists():
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _run(self, command: Command, *, timeout: float) -> None:
        try:
            run_to_end(self.name, command, log_file=self.log_file, timeout=timeout)
        except ProcessFailed as failure:
            program = command.arguments[0]
            raise EngineFailed(self.name, f"{program} {failure.reason}", log=failure.log) from failure

    def _require(self, program: str, what: str) -> None:
        if shutil.which(program) is None:
            raise EngineFailed(self.name, f"needs {what}, and there is no {program} on the PATH")
