"""`python -m tools.bench.identity`: CPU of a log-in, of a refresh, and of the check of an access token.

Starts a platform of its own, as `tools.bench` does. Asserts no time.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import uvloop

from devstack.commands import ProcessFailed
from devstack.demo import owner as owners
from devstack.demo.api import Api, Sink
from devstack.platform import Platform
from gateway.revocations import Revocations
from gateway.signing_keys import SigningKeys
from gateway.tokens import AccessTokens
from tools.bench import load
from tools.bench.cpu import Cpu
from tools.bench.figures import Range
from tools.bench.programs import BareProcess, RoleProcess
from tools.bench.report import Machine

TARGET = 0.05
"""At most this share of an empty RPC's CPU may checking the token take."""
_UNMEASURED = ("notification", "support", "analytics", "payment", "booking", "auth", "gateway")
_PATH = "/v1/venues/bench/availability?date=2027-10-31&party_size=2"
_CONNECTIONS = 8
_ROUNDS, _SECONDS = 5, 2.0
_LOG_INS, _REFRESHES, _CHECKS, _VERIFICATIONS = 20, 200, 20_000, 300
_OK = 200
_MICRO = 1e6


class IdentityStage:
    """A platform with one owner: auth that only serves, a booking service that answers nothing, a gateway."""

    def __init__(self, folder: Path) -> None:
        """Starts nothing yet."""
        self.platform = Platform(folder, durable=True)
        self.email, self.password = "owner@bench.example", secrets.token_urlsafe(18)
        self.tokens: dict[str, str] = {}
        self.keys = ""
        """The public keys of access tokens, as the gateway publishes them."""
        self.empty: BareProcess
        self.auth: RoleProcess
        self.gateway: RoleProcess
        self.client: httpx.Client
        self._ends: list[Callable[[], None]] = []

    def start(self) -> None:
        """Starts all, and stops what is not measured. Raises as Platform.start."""
        platform = self.platform
        platform.start()
        api, sink = Api(platform.gateway_url), Sink(platform.engines.sink.url)
        owner = owners.register(api, sink, email=self.email, password=self.password, organization="Bench")
        self.tokens = {
            "access_token": owner.api.headers["authorization"].removeprefix("Bearer "),
            "refresh_token": owner.refresh_token,
        }
        sink.close()
        jwks = httpx.get(f"{platform.gateway_url}/.well-known/jwks.json", trust_env=False)
        self.keys = jwks.raise_for_status().text
        for name in _UNMEASURED:
            platform.process(name).stop()
        keys = str(platform.secrets.internal_keys_file)
        log = platform.log_file("bench-empty")
        self.empty = BareProcess("empty", "tools.bench.empty", "127.0.0.1:{port}", keys, log_file=log)
        self.empty.start()
        self._ends.append(self.empty.stop)
        self.auth = self._role("auth", {})
        peers = {"GATEWAY_PEERS__BOOKING": self.empty.address, "GATEWAY_PEERS__AUTH": self.auth.address}
        self.gateway = self._role("gateway", peers)
        self.client = httpx.Client(base_url=f"http://{self.gateway.address}", trust_env=False)
        self._ends.append(self.client.close)

    def close(self) -> None:
        """Ends everything; safe after a start that failed."""
        for end in reversed(self._ends):
            end()
        self.platform.forget_data()
        shutil.rmtree(self.platform.state_dir, ignore_errors=True)

    def _role(self, program: str, changed: dict[str, str]) -> RoleProcess:
        environment = dict(self.platform.process(program).environment) | changed
        environment[f"{program.upper()}_TELEMETRY__SAMPLE_RATIO"] = "0"
        log = self.platform.log_file(f"bench-{program}")
        process = RoleProcess(f"{program}-serve", program, "serve", environment=environment, log_file=log)
        process.start()
        self._ends.append(process.stop)
        return process

    def pids(self) -> dict[str, int]:
        """The processes that a log-in keeps busy."""
        running = {
            "gateway": self.gateway,
            "auth": self.auth,
            "postgres": self.platform.engines.embedded[0],
        }
        return {name: process.pid for name, process in running.items() if process.pid is not None}

    def post(self, path: str, body: dict[str, str]) -> None:
        """Trades credentials for the next tokens. Raises httpx.HTTPStatusError when they are refused."""
        answer = self.client.post(path, json=body)
        self.tokens = answer.raise_for_status().json()["tokens"]

    def log_in(self) -> None:
        """Once."""
        self.post("/v1/auth/login", {"email": self.email, "password": self.password})

    def refresh(self) -> None:
        """Once, with the newest token: each rotates."""
        self.post("/v1/auth/refresh", {"refresh_token": self.tokens["refresh_token"]})


def main() -> int:
    """0 when every answer was the expected one, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.identity", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of empty RPCs; default %(default)s")
    chosen = parser.parse_args()
    stage = IdentityStage(Path(tempfile.mkdtemp(prefix="comptoir-bench-")))
    try:
        stage.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(stage, chosen.rounds, chosen.seconds))
    except (ProcessFailed, httpx.HTTPStatusError) as failed:
        print(failed)
        return 1
    finally:
        stage.close()
    return 0


async def _measure(stage: IdentityStage, rounds: int, seconds: float) -> None:
    machine = Machine.here()
    load_before = os.getloadavg()[0]
    print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}, commit {machine.commit}.")
    print(f"Load of the machine before the run: {load_before:.1f}. Above one a core, take the ratios only.")
    await _empty(stage, seconds, with_token=True)
    stage.log_in()
    stage.refresh()
    cost: dict[str, list[float]] = {}
    for _ in range(rounds):
        for with_token in (False, True):
            name = "empty RPC with a token" if with_token else "empty RPC"
            cost.setdefault(name, []).append(await _empty(stage, seconds, with_token=with_token))
        known, first = await _checks(stage)
        cost.setdefault("token known to the gateway", []).append(known)
        cost.setdefault("token seen for the first time", []).append(first)
        for name, each, times in (("log-in", stage.log_in, _LOG_INS), ("refresh", stage.refresh, _REFRESHES)):
            for process, spent in _spent(stage, each, times).items():
                cost.setdefault(f"{name}, {process}", []).append(spent)
    for name, values in cost.items():
        shown = Range.of(values)
        print(f"{name}: {shown.median:.1f} µs of CPU ({shown.least:.1f} - {shown.most:.1f})")
    empty = cost["empty RPC"]
    check = _ratio(cost["token known to the gateway"], empty)
    print(f"token check / empty RPC: {check}, target at most {TARGET:.0%}")
    print(f"empty RPC with a token / without: {_ratio(cost['empty RPC with a token'], empty)}")


def _ratio(values: list[float], beside: list[float]) -> str:
    shown = Range.of([each / other for each, other in zip(values, beside, strict=True)])
    return f"{shown.median:.2%} ({shown.least:.2%} - {shown.most:.2%})"


async def _empty(stage: IdentityStage, seconds: float, *, with_token: bool) -> float:
    """CPU µs of one empty RPC in gateway and service."""
    bearer = f"Bearer {stage.tokens['access_token']}"
    request = load.request("GET", _PATH, authorization=bearer) if with_token else load.request("GET", _PATH)
    running = {"gateway": stage.gateway.pid, "service": stage.empty.pid}
    cpu = Cpu({name: pid for name, pid in running.items() if pid is not None})
    result = await load.run(stage.gateway.port, lambda _: request, connections=_CONNECTIONS, seconds=seconds)
    spent = sum(cpu.since().values())
    if set(result.statuses) != {_OK}:
        raise ProcessFailed("gateway-empty", f"other answers than expected: {dict(result.statuses)}")
    return spent / result.answers * _MICRO


async def _checks(stage: IdentityStage) -> tuple[float, float]:
    """CPU µs of the gateway's check of a token that it has seen, and of one that it has not."""

    async def fetch_keys() -> str:
        return stage.keys

    async def fetch_revocations(_since: float | None) -> tuple[list[object], float]:
        return [], 0.0

    keys, header = SigningKeys(fetch_keys), f"Bearer {stage.tokens['access_token']}".encode()
    revocations = Revocations(fetch_revocations)  # type: ignore[arg-type]  # nothing is revoked
    checks = AccessTokens(keys, revocations)
    await checks.caller(header, "192.0.2.7")
    started = time.process_time()
    for _ in range(_CHECKS):
        await checks.caller(header, "192.0.2.7")
    known = (time.process_time() - started) / _CHECKS
    started = time.process_time()
    for number in range(_VERIFICATIONS):
        await checks.caller(header, f"192.0.2.{number}")
    return known * _MICRO, (time.process_time() - started) / _VERIFICATIONS * _MICRO


def _spent(stage: IdentityStage, each: Callable[[], None], times: int) -> dict[str, float]:
    """CPU µs by process of one of them."""
    cpu = Cpu(stage.pids())
    for _ in range(times):
        each()
    return {name: spent / times * _MICRO for name, spent in cpu.since().items()}


if __name__ == "__main__":
    sys.exit(main())
