"""The platform that is measured: started, furnished, then reduced to the processes that the phases need."""

import secrets
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from devstack.demo import owner as owners
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.environment import database_url
from devstack.platform import Platform
from devstack.process import ManagedProcess
from devstack.psql import run_sql
from servicekit import ids
from servicekit.errors import Internal
from tools.bench import reference
from tools.bench.places import STARTS, TIME_ZONE, Place
from tools.bench.programs import BareProcess, RoleProcess

TABLES = 60
PLACES = 4
BOOKED_ON_THE_DAY = 200
"""Bookings of the day whose availability is searched."""
SAMPLE_RATIO = "0.01"
_LOGGED_IN_SECONDS = "3600"
"""As long as a run may take."""
_AHEAD = 3
_UNMEASURED = ("notification", "support", "analytics", "payment", "booking", "gateway")
_VERSIONS = "SELECT id, version FROM venues ORDER BY id;"

_P = TypeVar("_P", bound=ManagedProcess)


@dataclass(frozen=True, slots=True)
class Pair:
    """A gateway and the service behind it."""

    gateway: ManagedProcess
    service: ManagedProcess


class Stage:
    """Open with `start`; `close` ends every process and deletes all data."""

    def __init__(self, folder: Path) -> None:
        """Starts nothing yet."""
        self.folder = folder
        overrides = {"auth": {"AUTH_ACCESS_TOKEN_SECONDS": _LOGGED_IN_SECONDS}}
        self.platform = Platform(folder / "platform", durable=True, overrides=overrides)
        self.places: list[Place] = []
        self.organization: UUID
        self.empty: Pair
        """The same gateway before a service that answers nothing."""
        self.proxy: Pair
        """A gateway that does nothing but the call, before the same service."""
        self.signed_in: str
        """The header that shows the owner's access token."""
        self.traced: Pair
        """Traces of one request in a hundred leave the processes, as in production."""
        self.quiet: Pair
        """No endpoint, no sampling."""
        self.slice: Pair
        """The bare slice: the same hops with one statement behind them."""
        self.relay: RoleProcess
        self._started: list[ManagedProcess] = []

    def start(self, report: Callable[[str], None]) -> None:
        """Starts all, makes the venues, and stops what no phase needs. Raises as Platform.start."""
        self.platform.start()
        report("the platform runs")
        owner = self._register()
        with ThreadPoolExecutor(max_workers=PLACES) as pool:
            self.places = list(pool.map(lambda number: self._open_venue(owner, number), range(PLACES)))
        versions = dict(line.split("|") for line in run_sql(self.database, _VERSIONS).split())
        self.places = [each.at_version(int(versions[str(each.venue)])) for each in self.places]
        owner.api.close()
        report(f"{PLACES} venues with {TABLES} tables are open")
        for name in _UNMEASURED:
            self.platform.process(name).stop()
        self._start_pairs()
        self._start_slice()
        report("the measured processes run; the others are stopped")

    def close(self) -> None:
        """Ends everything; safe after a start that failed."""
        for process in reversed(self._started):
            process.stop()
        self.platform.forget_data()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def database(self) -> str:
        """The booking database as its superuser."""
        return database_url(
            self.platform.engines.postgres_url,
            role="postgres",
            password=self.platform.secrets.superuser_password,
            database="booking",
        )

    @property
    def application_database(self) -> str:
        """The booking database as the service's own role, bound by row-level security."""
        return database_url(
            self.platform.engines.postgres_url,
            role="booking_app",
            password=self.platform.secrets.app_password("booking"),
            database="booking",
        )

    @property
    def postgres(self) -> ManagedProcess:
        """The one database server of all phases."""
        return self.platform.engines.embedded[0]

    @property
    def redis(self) -> ManagedProcess:
        """Where every gateway counts its limits: one server of all phases, so each has it beside."""
        valkey = self.platform.engines.valkey
        assert valkey is not None  # noqa: S101  # the bench starts engines of its own
        return valkey

    def _register(self) -> Owner:
        api, sink = Api(self.platform.gateway_url), Sink(self.platform.engines.sink.url)
        password = secrets.token_urlsafe(18)
        owner = owners.register(
            api, sink, email="owner@bench.example", password=password, organization="Bench"
        )
        sink.close()
        self.organization = ids.parse("org", owner.organization_id, Internal)
        self.signed_in = owner.api.headers["authorization"]
        return owner

    def _open_venue(self, owner: Owner, number: int) -> Place:
        api = owner.api
        venue = api.post(
            "/v1/venues",
            {"name": f"Bench {number}", "slug": slug(number), "time_zone": TIME_ZONE, "currency": "EUR"},
        )["id"]
        base = f"/v1/venues/{venue}"
        tables = [
            api.post(
                f"{base}/resources", {"name": f"T{table}", "kind": "table", "min_party": 1, "max_party": 4}
            )
            for table in range(TABLES)
        ]
        offering = api.post(f"{base}/offerings", _OFFERING)["id"]
        api.post(f"{base}/shifts", {"offering_id": offering, **_SHIFT})
        return Place(
            venue=ids.parse("ven", venue, Internal),
            version=0,
            offering=ids.parse("off", offering, Internal),
            tables=tuple(ids.parse("res", table["id"], Internal) for table in tables),
            venue_name=venue,
            offering_name=offering,
        )

    def _start_pairs(self) -> None:
        secrets_of = self.platform.secrets
        keys = str(secrets_of.internal_keys_file)
        empty = self._run(
            BareProcess("empty", "tools.bench.empty", "127.0.0.1:{port}", keys, log_file=self._log("empty"))
        )
        self.empty = Pair(self._gateway("gateway-empty", empty.address, traced=True), empty)
        key = str(secrets_of.internal_key_file("gateway"))
        arguments = ("127.0.0.1:{port}", empty.address, key)
        proxy = BareProcess("proxy", "tools.bench.proxy", *arguments, log_file=self._log("proxy"))
        self.proxy = Pair(self._run(proxy), empty)
        self.traced = self._pair("traced", traced=True)
        self.quiet = self._pair("quiet", traced=False)
        self.relay = RoleProcess(
            "relay", "booking", "relay", environment=self._environment("booking"), log_file=self._log("relay")
        )

    def _pair(self, name: str, *, traced: bool) -> Pair:
        environment = _with_telemetry(self._environment("booking"), "BOOKING", traced=traced)
        service = self._run(
            RoleProcess(
                f"booking-{name}",
                "booking",
                "serve",
                environment=environment,
                log_file=self._log(f"booking-{name}"),
            )
        )
        return Pair(self._gateway(f"gateway-{name}", service.address, traced=traced), service)

    def _gateway(self, name: str, booking: str, *, traced: bool) -> RoleProcess:
        environment = _with_telemetry(self._environment("gateway"), "GATEWAY", traced=traced)
        environment["GATEWAY_PEERS__BOOKING"] = booking
        environment["GATEWAY_CACHE__ENABLED"] = "false"  # what is kept would be no call
        return self._run(
            RoleProcess(name, "gateway", "serve", environment=environment, log_file=self._log(name))
        )

    def _start_slice(self) -> None:
        url = self.platform.engines.postgres_url
        run_sql(url, "CREATE DATABASE slice;")
        slice_url = database_url(
            url, role="postgres", password=self.platform.secrets.superuser_password, database="slice"
        )
        run_sql(slice_url, reference.SCHEMA)
        service = self._run(self._reference("service", slice_url))
        self.slice = Pair(self._run(self._reference("gateway", str(service.port))), service)

    def _reference(self, role: str, behind: str) -> BareProcess:
        name = f"slice-{role}"
        return BareProcess(name, "tools.bench.reference", role, "{port}", behind, log_file=self._log(name))

    def _run(self, process: _P) -> _P:
        process.start()
        self._started.append(process)
        return process

    def _environment(self, program: str) -> Mapping[str, str]:
        return self.platform.process(program).environment

    def _log(self, name: str) -> Path:
        return self.platform.log_file(f"bench-{name}")


_OFFERING = {
    "name": "Table",
    "turn_times": [{"max_party": 4, "minutes": 90}],
    "slot_minutes": 24 * 60 // STARTS,
    "min_notice_minutes": 60,
    "max_advance_days": 730,
}
_SHIFT = {"opens": "00:00", "last_start": "23:45", "closes": "24:00", "weekdays": list(range(1, 8))}


def slug(number: int) -> str:
    """The name of a venue in URLs."""
    return f"bench-{number}"


def searched_day() -> datetime:
    """Midnight of the day whose availability is searched."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=_AHEAD)


def _with_telemetry(environment: Mapping[str, str], prefix: str, *, traced: bool) -> dict[str, str]:
    changed = {**environment, f"{prefix}_TELEMETRY__SAMPLE_RATIO": SAMPLE_RATIO if traced else "0"}
    if not traced:
        del changed[f"{prefix}_TELEMETRY__OTLP_ENDPOINT"]
    return changed
