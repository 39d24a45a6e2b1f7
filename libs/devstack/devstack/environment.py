"""The environment of each service process: all it needs to know, and no secret that it does not need."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from devstack import topology
from devstack.secrets import Secrets
from devstack.topology import CALLS, program_of

_HOLD_SECONDS = "45"
"""Short, so that a developer sees a hold run out; production keeps the default of a quarter of an hour."""
_PAYMENT_REQUEST_SECONDS = "15"
"""Well within such a hold, so that the mail is seen too; production waits two minutes."""
_EMBEDDED_BROKER = {"KAFKA__SESSION_TIMEOUT_MS": "3000", "KAFKA__PARTITIONS": "4"}
"""It lets nobody into a group before a member that left has timed out. And it makes each topic somebody asks
for, with four partitions: with another number, whoever is quicker after a restart would decide."""
_RATES = {
    f"RATES__{name}": "1000000/60"
    for name in ("ANONYMOUS", "UNVALIDATED", "KEY", "MEMBER", "ORGANIZATION", "LOGIN", "RESET")
}
"""Next to no limit: here everybody comes from one address, and tests, demo and benchmark by the thousand."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where everything listens, as `host:port` or URL."""

    postgres_url: str
    """A superuser's; only its host, port and parameters are passed on."""
    redis_url: str
    kafka_bootstrap: str
    idempotent_producer: bool
    otlp_endpoint: str
    stripe_url: str
    smtp_host: str
    smtp_port: int
    public_url: str
    """The gateway as a browser reaches it."""
    rpc: Mapping[str, Sequence[str]]
    """Service → the addresses of its processes."""


def build_environment(
    kind: str, wiring: Wiring, secrets: Secrets, *, listen: str, admin_listen: str
) -> dict[str, str]:
    """Variables for one process of a service or the gateway. `listen` is its RPC (or HTTP) address."""
    program = program_of(kind)
    common = {
        "ENVIRONMENT": "development",
        "ADMIN__LISTEN": admin_listen,
        "REDIS__URL": wiring.redis_url,
        "IDENTITY__SIGNING_KEY_FILE": str(secrets.internal_key_file(program)),
        "IDENTITY__TRUSTED_KEYS_FILE": str(secrets.internal_keys_file),
        "TELEMETRY__OTLP_ENDPOINT": wiring.otlp_endpoint,
        "TELEMETRY__SAMPLE_RATIO": "1.0",
        **{f"PEERS__{peer.upper()}": target(wiring.rpc[peer]) for peer in CALLS[program]},
    }
    match kind:
        case topology.GATEWAY:
            own = {"HTTP__LISTEN": listen, **_RATES}
        case topology.FOLLOWER:
            own = {"HTTP__LISTEN": listen, **_kafka(wiring)}
        case _:
            own = _service(program, wiring, secrets, listen=listen)
    return _prefixed(program, {**common, **own})


def build_migration_environment(
    service: str, wiring: Wiring, secrets: Secrets, *, database: str | None = None
) -> dict[str, str]:
    """The same for the migrate verb, the only one that may act as the owner of the tables."""
    environment = build_environment(
        service, wiring, secrets, listen="127.0.0.1:0", admin_listen="127.0.0.1:0"
    )
    owner = database_url(
        wiring.postgres_url,
        role=f"{service}_owner",
        password=secrets.owner_password(service),
        database=database or service,
    )
    return {**environment, **_prefixed(service, {"DATABASE__OWNER_URL": owner})}


def database_url(server_url: str, *, role: str, password: str, database: str) -> str:
    """The server's URL with another role and database; its parameters (sslmode, …) stay."""
    parts = urlsplit(server_url)
    host = f"{parts.hostname}:{parts.port or 5432}"
    return parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}", path=f"/{database}").geturl()


def target(addresses: Sequence[str]) -> str:
    """A gRPC target: one address as it is, several as a list to balance over."""
    return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"


def _service(service: str, wiring: Wiring, secrets: Secrets, *, listen: str) -> dict[str, str]:
    app = database_url(
        wiring.postgres_url,
        role=f"{service}_app",
        password=secrets.app_password(service),
        database=service,
    )
    return {
        "DATABASE__URL": app,
        **_kafka(wiring),
        "RPC__LISTEN": listen,
        **_particular(service, wiring, secrets),
    }


def _kafka(wiring: Wiring) -> dict[str, str]:
    return {
        "KAFKA__BOOTSTRAP_SERVERS": wiring.kafka_bootstrap,
        "KAFKA__IDEMPOTENT_PRODUCER": json.dumps(wiring.idempotent_producer),
        **({} if wiring.idempotent_producer else _EMBEDDED_BROKER),
    }


def _particular(service: str, wiring: Wiring, secrets: Secrets) -> dict[str, str]:
    match service:
        case "booking":
            return {"HOLD_TTL_SECONDS": _HOLD_SECONDS}
        case "auth":
            return {
                "ACCESS_TOKEN_KEY_FILE": str(secrets.access_token_key_file),
                "ENCRYPTION_KEY_FILE": str(secrets.auth_encryption_key_file),
                "WEBAUTHN__ORIGINS": json.dumps(
                    [f"http://localhost:{urlsplit(wiring.public_url).port or 80}"]
                ),
                "SSO__PUBLIC_URL": wiring.public_url,
                "SSO__APP_ORIGINS": json.dumps([wiring.public_url]),
            }
        case "payment":
            return {
                "STRIPE__API_KEY": secrets.stripe_api_key,
                "STRIPE__API_BASE": wiring.stripe_url,
                "STRIPE__WEBHOOK_SECRET": secrets.stripe_webhook_secret,
            }
        case "notification":
            return {
                "SMTP__HOST": wiring.smtp_host,
                "SMTP__PORT": str(wiring.smtp_port),
                "PUBLIC_URL": wiring.public_url,
                "ENCRYPTION_KEY_FILE": str(secrets.notification_encryption_key_file),
                "WEBHOOKS__ALLOWED_NETWORKS": json.dumps(["127.0.0.0/8"]),
                "WEBHOOKS__ALLOW_HTTP": "true",
                "PAYMENT_REQUEST_DELAY_SECONDS": _PAYMENT_REQUEST_SECONDS,
            }
        case _:
            return {}


def _prefixed(program: str, variables: Mapping[str, str]) -> dict[str, str]:
    return {f"{program.upper()}_{name}": value for name, value in variables.items()}
