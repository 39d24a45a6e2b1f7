"""The five engines of a platform, each embedded unless a URL names one that runs elsewhere."""

from pathlib import Path

from devstack.engines import BrokerEngine, Engine, PostgresEngine, SinkEngine, StripeEngine, ValkeyEngine
from devstack.secrets import Secrets
from devstack.settings import ForeignEngines, Ports


class EngineSet:
    """`postgres`, `valkey`, `broker` are None when they run elsewhere; `stripe`, `sink` are always ours."""

    def __init__(
        self, state_dir: Path, secrets: Secrets, *, ports: Ports, foreign: ForeignEngines, durable: bool
    ) -> None:
        """Starts nothing yet."""
        data, logs = state_dir / "data", state_dir / "logs"
        self._foreign = foreign
        self.postgres = self.valkey = self.broker = None
        if foreign.postgres_url is None:
            self.postgres = PostgresEngine(
                data / "postgres",
                port=ports.postgres,
                log_file=logs / "postgres.log",
                superuser_password=secrets.superuser_password,
                durable=durable,
            )
        if foreign.redis_url is None:
            self.valkey = ValkeyEngine(
                data / "valkey",
                port=ports.valkey,
                log_file=logs / "valkey.log",
                password=secrets.redis_password,
                durable=durable,
            )
        if foreign.kafka_bootstrap is None:
            self.broker = BrokerEngine(data / "broker", port=ports.broker, log_file=logs / "broker.log")
        self.stripe = StripeEngine(data / "stripe", port=ports.stripe, log_file=logs / "stripe.log")
        self.sink = SinkEngine(
            data / "sink", port=ports.sink, smtp_port=ports.smtp, log_file=logs / "sink.log"
        )

    @property
    def embedded(self) -> list[Engine]:
        """Those that are our processes."""
        candidates = (self.postgres, self.valkey, self.broker, self.stripe, self.sink)
        return [engine for engine in candidates if engine is not None]

    @property
    def ports(self) -> list[int]:
        """Every port they listen on."""
        return [*(engine.port for engine in self.embedded), self.sink.smtp_port]

    @property
    def postgres_url(self) -> str:
        """A superuser's URL."""
        return self.postgres.superuser_url if self.postgres is not None else str(self._foreign.postgres_url)

    @property
    def redis_url(self) -> str:
        """With its password."""
        return self.valkey.url if self.valkey is not None else str(self._foreign.redis_url)

    @property
    def kafka_bootstrap(self) -> str:
        """Bootstrap servers."""
        return self.broker.url if self.broker is not None else str(self._foreign.kafka_bootstrap)
