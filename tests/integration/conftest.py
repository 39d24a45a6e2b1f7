"""The platform that these tests share, as a caller sees it: each role a process, three of booking."""

import io
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from devstack.demo import owner as owners
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.demo.story import Story
from devstack.platform import Platform
from testkit.overheard import Overheard

HOLD_SECONDS = 10
_LOGGED_IN_SECONDS = 3600  # the whole suite, on the slowest of machines
_SLOWEST = 600  # seconds; the first test also waits for the platform


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests take longer than others."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SLOWEST))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(
        tmp_path_factory.mktemp("platform"),
        durable=False,
        processes={"booking": 3},
        overrides={
            "auth": {
                "AUTH_ACCESS_TOKEN_SECONDS": str(_LOGGED_IN_SECONDS),
                # All people of these tests come from one address, and some give wrong passwords by the dozen.
                "AUTH_GUESSING__FROM_PLACE": "1000000",
                "AUTH_GUESSING__OF_ALL": "1000000",
                "AUTH_GUESSING__FACTORS_FROM_PLACE": "1000000",
                # The provider of the tests is on loopback.
                "AUTH_SSO__ALLOW_HTTP": "true",
                "AUTH_SSO__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
                # Some of these tests open venues by the dozen.
                "AUTH_PLANS": '{"free": {"members": 25, "venues": 5000, "api_keys": 10}}',
            },
            "booking": {"BOOKING_HOLD_TTL_SECONDS": str(HOLD_SECONDS)},
            # All guests of these tests have one address, and some tests try links by the hundred.
            "gateway": {"GATEWAY_LIMITS__WRONG_LINKS": "1000000"},
            "notification": {"NOTIFICATION_WEBHOOKS__RETRY_SECONDS": "[1, 1, 2, 2, 2, 2]"},
        },
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()
        running.forget_data()


@pytest.fixture(scope="session")
def sink(platform: Platform) -> Iterator[Sink]:
    reader = Sink(platform.engines.sink.url)
    yield reader
    reader.close()


@pytest.fixture(scope="session")
def overheard() -> Overheard:
    """Every secret that these tests sent or were shown; `test_what_is_left_behind` looks for them."""
    return Overheard()


@pytest.fixture(scope="session")
def api(platform: Platform, overheard: Overheard) -> Iterator[Api]:
    hooks = {"response": [overheard.listen]}
    client = httpx.Client(base_url=platform.gateway_url, timeout=15, event_hooks=hooks)
    anybody = Api(platform.gateway_url, connections=client)
    yield anybody
    anybody.close()


@pytest.fixture
async def http(platform: Platform, overheard: Overheard) -> AsyncIterator[httpx.AsyncClient]:
    limits, hooks = httpx.Limits(max_connections=100), {"response": [overheard.alisten]}
    async with httpx.AsyncClient(
        base_url=platform.gateway_url, timeout=60, limits=limits, event_hooks=hooks
    ) as client:
        yield client


def new_owner(api: Api, sink: Sink, *, password: str = "") -> Owner:
    """Somebody with an organization of their own; without a password given, one that nobody knows."""
    name = secrets.token_hex(4)
    return owners.register(
        api,
        sink,
        email=f"owner-{name}@demo.example",
        password=password or secrets.token_urlsafe(18),
        organization=f"Org {name}",
    )


def new_restaurant(owner: Owner) -> Venue:
    return owners.open_chez_paulette(owner, slug=f"venue-{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def owner(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture(scope="session")
def venue(owner: Owner) -> Venue:
    return new_restaurant(owner)


@dataclass(frozen=True, slots=True)
class MainJob:
    """How far the story came, and what each program logged meanwhile."""

    steps: int
    logs: dict[str, str]


@pytest.fixture(scope="session")
def main_job(platform: Platform) -> MainJob:
    """The main job, told once in a run."""
    told = io.StringIO()
    logged_before = {process.name: len(process.read_log()) for process in platform.programs}
    metered = ("gateway", "payment", "notification", "analytics")
    story = Story(
        Console(file=told, width=160),
        gateway=platform.gateway_url,
        sink=platform.engines.sink.url,
        stripe=platform.engines.stripe.url,
        metrics={name: f"{platform.process(name).admin_url}/metrics" for name in metered},
        name=secrets.token_hex(3),
    )
    try:
        story.tell()
    finally:
        story.close()
        sys.stdout.write(told.getvalue())
    logs = {process.name: process.read_log()[logged_before[process.name] :] for process in platform.programs}
    return MainJob(story.step, logs)
