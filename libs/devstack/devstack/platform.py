"""The whole platform as child processes: engines, services, gateway. It restarts nothing by itself."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from devstack.commands import Command, python_module, run_to_end
from devstack.databases import create_service_database
from devstack.engine_set import EngineSet
from devstack.environment import Wiring, build_environment, build_migration_environment
from devstack.ports import LOOPBACK, require_free
from devstack.process import ManagedProcess
from devstack.secrets import Secrets
from devstack.services import ServiceProcess
from devstack.settings import ForeignEngines, Ports
from devstack.topology import GATEWAY, PROCESSES, SERVICES

_Each = TypeVar("_Each")
_Report = Callable[[str], None]
_MIGRATION_SECONDS = 120
_SEED_SECONDS = 120


def _silently(_: str) -> None:
    pass


class Platform:
    """Engines and programs below one directory; each process has `start`, `stop`, `kill`, `restart`.

    Tests leave `ports` out and so get free ones everywhere:
    `platform.engines.broker.kill()`, `platform.process("booking", 2).read_log()`.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        ports: Ports | None = None,
        foreign: ForeignEngines | None = None,
        overrides: Mapping[str, Mapping[str, str]] | None = None,
        processes: Mapping[str, int] | None = None,
        durable: bool = True,
    ) -> None:
        """Starts nothing yet.

        Args:
            state_dir: data, secrets and logs live here.
            ports: fixed ports; 0 or absent means a free one.
            foreign: engines that run elsewhere.
            overrides: program → variables that win over ours.
            processes: kind of process → how many of it, 1 unless told.
            durable: False spares fsync, for tests.
        """
        self.state_dir = state_dir.absolute()
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.secrets = Secrets(self.state_dir / "secrets")
        self.engines = EngineSet(
            self.state_dir,
            self.secrets,
            ports=ports or Ports(),
            foreign=foreign or ForeignEngines(),
            durable=durable,
        )
        self._overrides = overrides or {}
        self._programs = {
            kind: [
                self._new_process(kind, number, ports or Ports())
                for number in range(1, (processes or {}).get(kind, 1) + 1)
            ]
            for kind in PROCESSES
        }

    @property
    def programs(self) -> list[ServiceProcess]:
        """Every process of every service, then the gateway's."""
        return [process for kind in PROCESSES for process in self._programs[kind]]

    @property
    def processes(self) -> list[ManagedProcess]:
        """All that `start` starts."""
        return [*self.engines.embedded, *self.programs]

    @property
    def gateway_url(self) -> str:
        """Where front ends and partners enter."""
        return f"http://{self.process(GATEWAY).address}"

    @property
    def wiring(self) -> Wiring:
        """Where everything listens."""
        sink = self.engines.sink
        return Wiring(
            postgres_url=self.engines.postgres_url,
            redis_url=self.engines.redis_url,
            kafka_bootstrap=self.engines.kafka_bootstrap,
            idempotent_producer=self.engines.broker is None,
            otlp_endpoint=sink.otlp_endpoint,
            stripe_url=self.engines.stripe.url,
            smtp_host=sink.smtp_host,
            smtp_port=sink.smtp_port,
            public_url=self.gateway_url,
            rpc={service: [each.address for each in self._programs[service]] for service in SERVICES},
        )

    def process(self, kind: str, number: int = 1) -> ServiceProcess:
        """One process of a kind (a program, or the gateway's follower), counted from 1."""
        return self._programs[kind][number - 1]

    def start(self, report: _Report = _silently) -> None:
        """Starts everything and returns when all of it answers. `report` hears of each step done.

        Raises:
            PortTaken: before anything is started.
            ProcessFailed: one could not start; the others run until `stop`.
            PsqlFailed: the PostgreSQL given by URL is away or refuses.
        """
        self.require_ports()
        self.start_engines(report)
        self.migrate(report)
        self.start_programs(report)

    def require_ports(self) -> None:
        """Looks at all ports before anything is started.

        Raises:
            PortTaken: the first one that somebody else has.
        """
        programs = [port for process in self.programs for port in (process.port, process.admin_port)]
        for port in [*self.engines.ports, *programs]:
            require_free(port)

    def start_engines(self, report: _Report = _silently) -> None:
        """Starts the embedded engines side by side. Raises as `start`."""

        def start(engine: ManagedProcess) -> None:
            engine.start()
            report(f"{engine.name} answers on port {engine.port}")

        _side_by_side(start, self.engines.embedded)

    def migrate(self, report: _Report = _silently) -> None:
        """Makes databases and roles, and brings the tables up to date. Raises as `start`."""
        for service in SERVICES:
            create_service_database(
                self.engines.postgres_url,
                service,
                owner_password=self.secrets.owner_password(service),
                app_password=self.secrets.app_password(service),
            )
        report("databases and roles exist")
        _side_by_side(self._migrate, SERVICES)
        report("tables are up to date")

    def start_programs(self, report: _Report = _silently) -> None:
        """Starts services and gateway side by side; tells Stripe where webhooks go. Raises as `start`."""
        for process in self.programs:
            process.environment = self._environment_of(process)
            if not process.running:
                process.launch()

        def wait(process: ServiceProcess) -> None:
            process.wait_ready()
            report(f"{process.name} is ready")

        _side_by_side(wait, self.programs)
        hook = f"{self.gateway_url}/hooks/stripe"
        self.engines.stripe.register_webhook("comptoir", url=hook, secret=self.secrets.stripe_webhook_secret)

    def seed(self) -> bool:
        """Fills in the demo organization; False when this checkout has no seed.

        Raises:
            ProcessFailed: the seed ended with an error.
        """
        if find_spec("devstack.seed") is None:
            return False
        given = {name: value for name, value in os.environ.items() if name.startswith("COMPTOIR_")}
        environment = {
            **given,
            "COMPTOIR_GATEWAY_URL": self.gateway_url,
            "COMPTOIR_SINK_URL": self.engines.sink.url,
            "COMPTOIR_STATE_DIR": str(self.state_dir),
        }
        self._run("seed", Command(python_module("devstack.seed"), environment), timeout=_SEED_SECONDS)
        return True

    def stop(self) -> None:
        """Ends everything in the order that loses nothing: gateway, services, engines."""
        _side_by_side(ManagedProcess.stop, self._programs[GATEWAY])
        _side_by_side(ManagedProcess.stop, self.programs)
        _side_by_side(ManagedProcess.stop, self.engines.embedded)

    def forget_data(self) -> None:
        """Stops, then deletes the embedded database, also the part that root had to keep elsewhere."""
        self.stop()
        if self.engines.postgres is not None:
            self.engines.postgres.forget_data()

    def log_file(self, name: str) -> Path:
        """Where a process writes."""
        return self.state_dir / "logs" / f"{name}.log"

    def _migrate(self, service: str) -> None:
        environment = build_migration_environment(service, self.wiring, self.secrets)
        command = Command(
            python_module(service, "migrate"), {**environment, **self._overrides.get(service, {})}
        )
        self._run(f"{service}-migrate", command, timeout=_MIGRATION_SECONDS)

    def _run(self, name: str, command: Command, *, timeout: float) -> None:
        run_to_end(name, command, log_file=self.log_file(name), timeout=timeout)

    def _environment_of(self, process: ServiceProcess) -> dict[str, str]:
        environment = build_environment(
            process.kind,
            self.wiring,
            self.secrets,
            listen=process.address,
            admin_listen=f"{LOOPBACK}:{process.admin_port}",
        )
        return {**environment, **self._overrides.get(process.program, {})}

    def _new_process(self, kind: str, number: int, ports: Ports) -> ServiceProcess:
        first = {GATEWAY: ports.gateway, **{each: ports.rpc_of(each) for each in SERVICES}}.get(kind, 0)
        return ServiceProcess(
            kind,
            number=number,
            port=first if number == 1 else 0,
            admin_port=ports.admin_of(kind) if number == 1 else 0,
            log_file=self.log_file(kind if number == 1 else f"{kind}-{number}"),
        )


def _side_by_side(work: Callable[[_Each], object], items: Sequence[_Each]) -> None:
    """Runs to the end of all, then raises the first error."""
    if items:
        with ThreadPoolExecutor(max_workers=len(items)) as pool:
            for outcome in [pool.submit(work, item) for item in items]:
                outcome.result()
