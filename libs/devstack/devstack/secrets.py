"""Every secret of a development platform: made once, kept in files for this user only, never printed."""

import base64
import contextlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from joserfc.jwk import OKPKey

from devstack.topology import PROGRAMS, SERVICES

_PRIVATE_DIRECTORY, _PRIVATE_FILE = 0o700, 0o600


class Secrets:
    """Files below one directory. Whatever is missing is made when the object is; the rest stays as it is."""

    def __init__(self, directory: Path) -> None:
        """Makes the directory and what is missing in it, and takes the rights of others away."""
        self.directory = directory.absolute()
        self.directory.mkdir(parents=True, exist_ok=True, mode=_PRIVATE_DIRECTORY)
        self.directory.chmod(_PRIVATE_DIRECTORY)
        for name in ("postgres-superuser", "redis", *_database_roles()):
            self._make(f"{name}.password", _password)
        for program in PROGRAMS:
            self._make(f"internal-{program}.json", lambda name=program: _signing_key(name))  # type: ignore[misc]
        self._make("access-token-key.json", _access_token_key)
        self._make("auth-encryption.key", _encryption_key)
        self._make("notification-encryption.key", _encryption_key)
        self._make("stripe-webhook.secret", lambda: f"whsec_{secrets.token_urlsafe(32)}")
        self._make("stripe-api.key", lambda: f"sk_test_{secrets.token_urlsafe(24)}")
        self._publish_internal_keys()
        for path in self.directory.glob("[!.]*"):  # drafts of a start at the same moment come and go
            path.chmod(_PRIVATE_FILE)

    @property
    def superuser_password(self) -> str:
        """PostgreSQL's superuser."""
        return self._read("postgres-superuser.password")

    @property
    def redis_password(self) -> str:
        """Valkey's only password."""
        return self._read("redis.password")

    @property
    def stripe_webhook_secret(self) -> str:
        """What Stripe signs webhooks with."""
        return self._read("stripe-webhook.secret")

    @property
    def stripe_api_key(self) -> str:
        """A test key; the stand-in takes any."""
        return self._read("stripe-api.key")

    @property
    def access_token_key_file(self) -> Path:
        """The private JWK that signs access tokens."""
        return self.directory / "access-token-key.json"

    @property
    def auth_encryption_key_file(self) -> Path:
        """32 random bytes in base64."""
        return self.directory / "auth-encryption.key"

    @property
    def notification_encryption_key_file(self) -> Path:
        """32 random bytes in base64."""
        return self.directory / "notification-encryption.key"

    @property
    def internal_keys_file(self) -> Path:
        """The JWK set with every program's public key."""
        return self.directory / "internal-keys.json"

    def owner_password(self, service: str) -> str:
        """The role that owns the service's tables."""
        return self._read(f"{service}-owner.password")

    def app_password(self, service: str) -> str:
        """The role the service works as."""
        return self._read(f"{service}-app.password")

    def internal_key_file(self, program: str) -> Path:
        """The private JWK a program signs internal calls with; its `kid` is the program's name."""
        return self.directory / f"internal-{program}.json"

    def _read(self, name: str) -> str:
        return (self.directory / name).read_text(encoding="utf-8").strip()

    def _make(self, name: str, make: Callable[[], str]) -> None:
        """Makes the file once: of two starts at one time, the first wins and both see the same secret."""
        path = self.directory / name
        if not path.exists():
            draft = self._draft(name, make())
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()

    def _publish_internal_keys(self) -> None:
        keys = [OKPKey.import_key(json.loads(self._read(f"internal-{program}.json"))) for program in PROGRAMS]
        content = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}, indent=2)
        self._draft("internal-keys.json", content).replace(self.internal_keys_file)

    def _draft(self, name: str, content: str) -> Path:
        draft = self.directory / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE), "w") as file:
            file.write(f"{content}\n")
            file.flush()
            os.fsync(file.fileno())
        return draft


def _database_roles() -> list[str]:
    return [f"{service}-{role}" for service in SERVICES for role in ("owner", "app")]


def _password() -> str:
    return secrets.token_urlsafe(24)


def _signing_key(program: str) -> str:
    key = OKPKey.generate_key("Ed25519", {"kid": program, "use": "sig"}, private=True)
    return json.dumps(key.as_dict(private=True))


def _access_token_key() -> str:
    key = OKPKey.generate_key("Ed25519", {"use": "sig"}, private=True, auto_kid=True)
    return json.dumps(key.as_dict(private=True))


def _encryption_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
