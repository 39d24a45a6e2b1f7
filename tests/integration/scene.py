"""A restaurant whose partner listens, everything that can be killed, and how to look behind the API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from prometheus_client.parser import text_string_to_metric_families

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.demo.partner import Partner
from devstack.platform import Platform
from devstack.psql import run_sql
from devstack.services import ServiceProcess
from devstack.topology import GATEWAY
from servicekit import ids
from servicekit.errors import InvalidRequest

from .conftest import new_owner, new_restaurant

_RUN_OUT = 'UPDATE :"table" SET leased_until = now() WHERE leased_until > now();'
_LEASED: dict[str, tuple[str, ...]] = {"payment": ("timers", "refunds"), GATEWAY: ()}


@dataclass(frozen=True, slots=True)
class Scene:
    """One organization with one restaurant, on the platform of the whole suite."""

    platform: Platform
    api: Api
    sink: Sink
    owner: Owner
    venue: Venue
    partner: Partner

    @property
    def organization(self) -> UUID:
        """As the databases know it."""
        return ids.parse("org", self.owner.organization_id, InvalidRequest)

    def processes(self, program: str) -> list[ServiceProcess]:
        """All of a program."""
        return [process for process in self.platform.programs if process.program == program]

    def kill_and_start(self, program: str) -> None:
        """kill -9 of all its processes at once; then they are started."""
        start_all(self.kill(program))

    def kill(self, program: str) -> list[ServiceProcess]:
        """kill -9 of those of its processes that run. What they had leased runs out: a minute passes."""
        killed = [process for process in self.processes(program) if process.running]
        for process in killed:
            process.kill()
        for table in _LEASED.get(program, ("timers",)):
            self.sql(program, _RUN_OUT, table=table)
        return killed

    def sql(self, service: str, statement: str, **values: str) -> list[str]:
        """Rows of a service's database, as its superuser sees them; `:'name'` stands for a value."""
        server = urlsplit(self.platform.engines.postgres_url)
        script = "".join(f"\\getenv {name} VALUE_{name}\n" for name in values) + statement
        given = {f"VALUE_{name}": value for name, value in values.items()}
        return run_sql(server._replace(path=f"/{service}").geturl(), script, given).splitlines()

    def metric(self, program: str, name: str, **labels: str) -> float:
        """A counter, summed over the program's running processes since they were started."""
        running = [process for process in self.processes(program) if process.running]
        return sum(metric_of(process, name, **labels) for process in running)


@contextmanager
def opened(platform: Platform, api: Api, sink: Sink, *, partner: Partner) -> Iterator[Scene]:
    """A new organization, its restaurant, and `partner` registered."""
    owner = new_owner(api, sink)
    registered = owner.api.post("/v1/webhook-endpoints", {"url": partner.url})
    partner.secret = registered["secret"]
    try:
        yield Scene(platform, api, sink, owner, new_restaurant(owner), partner)
    finally:
        partner.close()


def start_all(processes: Sequence[ServiceProcess]) -> None:
    """Side by side."""
    for process in processes:
        process.launch()
    for process in processes:
        process.wait_ready()


def metric_of(process: ServiceProcess, name: str, **labels: str) -> float:
    """A number that one process tells about itself."""
    text = httpx.get(f"{process.admin_url}/metrics", timeout=10).raise_for_status().text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
