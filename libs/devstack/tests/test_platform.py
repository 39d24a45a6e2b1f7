"""The platform object as integration tests use it: several processes of one service, each under control."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.platform import Platform
from devstack.psql import run_sql
from devstack.settings import ForeignEngines


@pytest.fixture
def platform(tmp_path: Path, fake_programs: Path) -> Iterator[Platform]:
    search_path = {"PYTHONPATH": str(fake_programs)}
    programs = ("auth", "booking", "payment", "notification", "support", "analytics", "gateway")
    platform = Platform(
        tmp_path / "platform",
        processes={"booking": 3},
        overrides={program: {**search_path, f"{program.upper()}_EXTRA": "set"} for program in programs},
        durable=False,
    )
    yield platform
    platform.forget_data()


def test_every_process_is_started_stopped_and_killed_on_its_own(platform: Platform) -> None:
    steps: list[str] = []
    platform.start(steps.append)
    assert "booking-3 is ready" in steps
    assert len(platform.processes) == 5 + 10
    assert platform.process("gateway-follow").running

    second = platform.process("booking", 2)
    second.kill()
    assert [process.running for process in platform.programs].count(False) == 1
    second.start()
    assert second.probe()
    assert "BOOKING_EXTRA" in second.read_log()

    target = platform.process("payment").environment["PAYMENT_PEERS__BOOKING"]
    ports = [platform.process("booking", number).port for number in (1, 2, 3)]
    assert target == "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)

    assert platform.engines.broker is not None
    platform.engines.broker.kill()
    platform.engines.broker.start()
    assert (
        run_sql(platform.engines.postgres_url, "SELECT count(*) FROM pg_roles WHERE rolname ~ '_app$';")
        == "6\n"
    )

    platform.stop()
    assert not [process.name for process in platform.processes if process.running]


def test_engines_given_by_url_replace_the_embedded_ones(tmp_path: Path) -> None:
    foreign = ForeignEngines(
        postgres_url="postgresql://admin:word@db.local/postgres",
        redis_url="redis://cache.local",
        kafka_bootstrap="kafka.local:9092",
    )
    platform = Platform(tmp_path / "platform", foreign=foreign)

    assert [engine.name for engine in platform.engines.embedded] == ["stripe", "sink"]
    wiring = platform.wiring
    assert (wiring.postgres_url, wiring.redis_url, wiring.kafka_bootstrap) == (
        foreign.postgres_url,
        foreign.redis_url,
        foreign.kafka_bootstrap,
    )
    assert wiring.idempotent_producer
