"""Who is told what: every program can start from it, and nobody is told a secret it does not need."""

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from devstack.environment import Wiring, build_environment, build_migration_environment, database_url
from devstack.secrets import Secrets
from devstack.topology import FOLLOWER, GATEWAY, PROGRAMS, SERVICES
from servicekit.settings import Environment, ServiceSettings


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path)


@pytest.fixture
def wiring(secrets: Secrets) -> Wiring:
    return Wiring(
        postgres_url=f"postgresql://postgres:{secrets.superuser_password}@db.local:5433/postgres?sslmode=require",
        redis_url=f"redis://:{secrets.redis_password}@127.0.0.1:6379/0",
        kafka_bootstrap="127.0.0.1:9092",
        idempotent_producer=False,
        otlp_endpoint="http://127.0.0.1:8025/v1/traces",
        stripe_url="http://127.0.0.1:8420",
        smtp_host="127.0.0.1",
        smtp_port=1025,
        public_url="http://127.0.0.1:8080",
        rpc={
            **{service: [f"127.0.0.1:{7001 + n}"] for n, service in enumerate(SERVICES)},
            "booking": ["a:1", "b:2"],
        },
    )


def told(program: str, wiring: Wiring, secrets: Secrets) -> dict[str, str]:
    return build_environment(program, wiring, secrets, listen="127.0.0.1:7001", admin_listen="127.0.0.1:7101")


@pytest.mark.parametrize("service", SERVICES)
def test_the_common_settings_can_be_read_from_it(
    service: str, wiring: Wiring, secrets: Secrets, tmp_path: Path
) -> None:
    class Settings(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix=f"{service.upper()}_", extra="ignore")

    file = tmp_path / "environment"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in told(service, wiring, secrets).items()))
    settings = Settings(_env_file=file)  # type: ignore[call-arg]

    assert settings.environment is Environment.DEVELOPMENT
    assert settings.database.owner_url is None
    assert settings.kafka.idempotent_producer is False
    assert settings.telemetry.sample_ratio == 1.0
    assert settings.identity.signing_key_file.exists()


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_variables_carry_the_prefix(program: str, wiring: Wiring, secrets: Secrets) -> None:
    assert all(name.startswith(f"{program.upper()}_") for name in told(program, wiring, secrets))


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_is_told_the_secrets_of_others(program: str, wiring: Wiring, secrets: Secrets) -> None:
    seen = " ".join(told(program, wiring, secrets).values())
    foreign = [secrets.superuser_password, *(secrets.owner_password(service) for service in SERVICES)]
    foreign += [secrets.app_password(service) for service in SERVICES if service != program]
    foreign += [str(secrets.internal_key_file(other)) for other in PROGRAMS if other != program]
    if program != "payment":
        foreign += [secrets.stripe_api_key, secrets.stripe_webhook_secret]
    if program != "auth":
        foreign += [str(secrets.access_token_key_file), str(secrets.auth_encryption_key_file)]
    if program != "notification":
        foreign.append(str(secrets.notification_encryption_key_file))
    assert not [secret for secret in foreign if secret in seen]


def test_only_migrations_act_as_the_owner(wiring: Wiring, secrets: Secrets) -> None:
    environment = build_migration_environment("booking", wiring, secrets)
    owner = database_url(
        wiring.postgres_url,
        role="booking_owner",
        password=secrets.owner_password("booking"),
        database="booking",
    )
    assert environment["BOOKING_DATABASE__OWNER_URL"] == owner
    assert owner.startswith("postgresql://booking_owner:")
    assert owner.endswith("@db.local:5433/booking?sslmode=require")


def test_the_gateway_knows_all_services_but_no_database_and_no_broker(
    wiring: Wiring, secrets: Secrets
) -> None:
    environment = told(GATEWAY, wiring, secrets)
    assert {name for name in environment if "PEERS" in name} == {
        f"GATEWAY_PEERS__{service.upper()}" for service in SERVICES
    }
    assert environment["GATEWAY_HTTP__LISTEN"] == "127.0.0.1:7001"
    assert not [name for name in environment if "DATABASE" in name or "KAFKA" in name or "RPC" in name]


def test_the_gateways_follower_knows_the_broker(wiring: Wiring, secrets: Secrets) -> None:
    environment = told(FOLLOWER, wiring, secrets)
    assert environment["GATEWAY_KAFKA__BOOTSTRAP_SERVERS"] == wiring.kafka_bootstrap
    beside = {name: value for name, value in environment.items() if "KAFKA" not in name}
    gateway = told(GATEWAY, wiring, secrets)
    assert beside == {name: value for name, value in gateway.items() if "RATES" not in name}


def test_several_processes_become_one_target_to_balance_over(wiring: Wiring, secrets: Secrets) -> None:
    environment = told("payment", wiring, secrets)
    assert environment["PAYMENT_PEERS__BOOKING"] == "ipv4:a:1,b:2"
    assert told("booking", wiring, secrets)["BOOKING_PEERS__PAYMENT"] == "127.0.0.1:7003"
