"""Runs a service: roles as verbs, readiness and the order of draining. Holds no business rule."""

import argparse
import asyncio
import contextlib
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import uvloop
from grpc_health.v1 import health_pb2
from pydantic import ValidationError

from servicekit import relay, telemetry
from servicekit.answers import Answers
from servicekit.cache import Cache
from servicekit.consumer import Consumer
from servicekit.consumer import Handlers as EventHandlers
from servicekit.database import Database
from servicekit.errors import AppError, Unavailable
from servicekit.identity import Signer, Verifier
from servicekit.listening import exit_when_taken
from servicekit.process import running
from servicekit.relay import Relay
from servicekit.rpc import server
from servicekit.rpc.client import Peer
from servicekit.settings import ServiceSettings, refuse_unknown
from servicekit.telemetry import logs, traces
from servicekit.timers import Handlers as TimerHandlers
from servicekit.timers import TimerLoop

A = TypeVar("A")
S = TypeVar("S", bound=ServiceSettings)

_GRACE_SECONDS = 8.0
_WORKERS = ("serve", "consume", "relay", "timers")
_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Resources(Generic[S]):
    """What the runtime opened for the service; it closes them too."""

    settings: S
    db: Database
    cache: Cache
    signer: Signer
    peers: Mapping[str, Peer]

    def peer(self, name: str) -> Peer:
        """Another service. KeyError when the settings name no address for it."""
        return self.peers[name]


@dataclass(frozen=True, slots=True)
class Verb(Generic[A]):
    """A command of the service's own, run once beside it: `python -m <name> <verb> …`."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    """Says which arguments it takes. Never a secret: everybody on the machine sees them."""
    run: Callable[[A, argparse.Namespace], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Service(Generic[A, S]):
    """Everything that makes a service, for `main`."""

    name: str
    settings: type[S]
    open: Callable[[Resources[S]], AbstractAsyncContextManager[A]]
    """Opens the App that use cases need."""
    servicers: Callable[[A], Sequence[server.Registration]]
    handlers: EventHandlers[A] = field(default_factory=dict)
    timers: TimerHandlers[A] = field(default_factory=dict)
    verbs: Mapping[str, Verb[A]] = field(default_factory=dict)


def main(service: Service[Any, Any]) -> None:
    """The command line of a service: `python -m <name> <role>`, see `_arguments`."""
    arguments = _arguments(service)
    settings = load(service.settings)
    logs.setup(service.name, settings.telemetry.log_level)
    if arguments.role == "migrate":
        _migrate(service.name, settings)
        return
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with exit_when_taken(), runner:
        match arguments.role:
            case "replay":
                runner.run(_replay(service, settings, arguments))
            case "dead-letters":
                runner.run(_dead_letters(service, settings, replaying=arguments.action == "replay"))
            case verb if verb in service.verbs:
                runner.run(_run_verb(service, settings, service.verbs[verb], arguments))
            case role:
                runner.run(_work(service, settings, _WORKERS if role == "all" else (role,)))


def load(settings: type[S]) -> S:
    """The settings of this process; prints what is wrong and ends it when they do not hold."""
    try:
        refuse_unknown(settings)
        return settings()  # type: ignore[call-arg]  # read from the environment
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        sys.exit("settings are not valid:\n" + "\n".join(lines))
    except ValueError as error:
        sys.exit(f"settings are not valid: {error}")


def _arguments(service: Service[Any, Any]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {service.name}")
    roles = parser.add_subparsers(dest="role", required=True)
    for role in (*_WORKERS, "all", "migrate"):
        roles.add_parser(role)
    replay = roles.add_parser("replay", help="publish the events of a time range again")
    replay.add_argument("--since", type=datetime.fromisoformat, required=True)
    replay.add_argument("--until", type=datetime.fromisoformat, default=None)
    replay.add_argument("--type", default=None, help="only events of this type")
    dead = roles.add_parser("dead-letters", help="list or handle again what could not be handled")
    dead.add_argument("action", choices=("list", "replay"))
    for name, verb in service.verbs.items():
        verb.arguments(roles.add_parser(name, help=verb.help))
    return parser.parse_args()


def _migrate(name: str, settings: ServiceSettings) -> None:
    if settings.database.owner_url is None:
        sys.exit("database.owner_url is not set: migrations run as the owner of the tables")
    from servicekit import migrations  # noqa: PLC0415  # Alembic is a tenth of the memory of a role that serves

    package = Path(str(importlib.import_module(name).__file__)).parent
    folder = package / "migrations"
    migrations.upgrade(
        folder if folder.exists() else package.parent / "migrations",
        settings.database.owner_url.get_secret_value(),
    )


@contextlib.asynccontextmanager
async def resources(name: str, settings: S, *, retries: bool) -> AsyncIterator[Resources[S]]:
    """Opens database, cache and peers. `retries` as for Peer."""
    signer = Signer(settings.identity.signing_key_file)
    async with AsyncExitStack() as stack:
        db = Database(settings.database, name=name)
        stack.push_async_callback(db.close)
        cache = Cache(settings.redis, prefix=f"{name}:")
        stack.push_async_callback(cache.close)
        peers = {peer: Peer(peer, target, signer, retries=retries) for peer, target in settings.peers.items()}
        for peer in peers.values():
            stack.push_async_callback(peer.close)
        yield Resources(settings, db, cache, signer, peers)


async def _work(service: Service[A, S], settings: S, roles: Sequence[str]) -> None:
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(running(service.name, settings.admin, settings.telemetry))
        stop, ready = process.stop, process.ready
        opened = await stack.enter_async_context(
            resources(service.name, settings, retries="serve" not in roles)
        )
        await _wait_for_database(opened.db, stop)
        app = await stack.enter_async_context(service.open(opened))
        loops = [
            asyncio.create_task(loop(stop), name=name)
            for name, loop in _loops(service, app, opened, roles).items()
        ]
        try:
            async with _served(service, app, opened) if "serve" in roles else contextlib.nullcontext():
                if not stop.is_set():
                    ready.set()
                _log.info("started", roles=",".join(roles))
                try:
                    await _until_stopped(stop, loops)
                finally:
                    ready.clear()
        finally:
            stop.set()
            await _drain(loops)
    _log.info("stopped")


@contextlib.asynccontextmanager
async def _served(service: Service[A, S], app: A, opened: Resources[S]) -> AsyncIterator[None]:
    """The RPCs, open; however the context ends, calls in flight finish and no server is left."""
    settings = opened.settings
    verifier = Verifier(settings.identity.trusted_keys_file, service.name)
    served, readiness, port = await server.start(
        service.name, settings.rpc.listen, verifier, service.servicers(app), answers=Answers(opened.db)
    )
    try:
        await readiness.set("", health_pb2.HealthCheckResponse.SERVING)
        _log.info("serving", port=port)
        yield
    finally:
        await readiness.enter_graceful_shutdown()
        await served.stop(_GRACE_SECONDS)


def _loops(
    service: Service[A, S], app: A, opened: Resources[S], roles: Sequence[str]
) -> dict[str, Callable[[asyncio.Event], Any]]:
    settings = opened.settings
    loops: dict[str, Callable[[asyncio.Event], Any]] = {}
    if "consume" in roles and service.handlers:
        consumer = Consumer(service.name, app, opened.db, settings.kafka, service.handlers)
        loops["consume"] = consumer.run
    if "relay" in roles:
        loops["relay"] = Relay(service.name, settings.database, settings.kafka).run
    if "timers" in roles and service.timers:
        loops["timers"] = TimerLoop(app, opened.db, service.timers).run
    return loops


async def _drain(loops: Sequence[asyncio.Task[None]]) -> None:
    """Lets loops finish what they have begun; what takes too long is cut off, which no transaction minds."""
    if not loops:
        return
    done, late = await asyncio.wait(loops, timeout=_GRACE_SECONDS)
    for task in late:
        _log.warning("cut_off", role=task.get_name(), at=_place(task))
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()


def _place(task: asyncio.Task[None]) -> str:
    """Where a task waits, for the log."""
    frames = task.get_stack()
    return f"{frames[-1].f_code.co_qualname}:{frames[-1].f_lineno}" if frames else ""


async def _until_stopped(stop: asyncio.Event, loops: Sequence[asyncio.Task[None]]) -> None:
    """Waits for the signal. A loop that ends by itself is a defect and ends the process."""
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *loops], return_when=asyncio.FIRST_COMPLETED)
    if waiting not in done:
        waiting.cancel()
        stop.set()
        for task in done:
            task.result()


async def _wait_for_database(db: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await db.assert_sound()
        except Unavailable:
            _log.warning("waiting_for_database")
            await asyncio.sleep(0.5)
        else:
            return


async def _replay(service: Service[A, S], settings: S, arguments: argparse.Namespace) -> None:
    until = arguments.until or datetime.now(UTC)
    count = await relay.replay(
        service.name, settings.database, since=arguments.since, until=until, event_type=arguments.type
    )
    print(f"{count} events will be published again")  # noqa: T201


@contextlib.asynccontextmanager
async def _opened(service: Service[A, S], settings: S) -> AsyncIterator[tuple[Resources[S], A]]:
    """For a verb that runs once."""
    with traces.exported(service.name, settings.telemetry):
        async with resources(service.name, settings, retries=True) as opened, service.open(opened) as app:
            yield opened, app


async def _run_verb(
    service: Service[A, S], settings: S, verb: Verb[A], arguments: argparse.Namespace
) -> None:
    async with _opened(service, settings) as (_, app):
        try:
            await verb.run(app, arguments)
        except AppError as refusal:
            sys.exit(f"{refusal.reason}: {refusal.detail}")


async def _dead_letters(service: Service[A, S], settings: S, *, replaying: bool) -> None:
    async with _opened(service, settings) as (opened, app):
        consumer = Consumer(service.name, app, opened.db, settings.kafka, service.handlers)
        async for letter in consumer.dead_letters():
            headers = {name: value.decode(errors="replace") for name, value in letter.headers}
            if replaying:
                await consumer.handle(letter)
            done = "handled" if replaying else headers.get("dlq_error", "")
            print(f"{headers.get('ce_id', '-')} {headers.get('ce_type', '-')} {done}")  # noqa: T201
