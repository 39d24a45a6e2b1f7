"""Makes every secret of a compose platform once and gives each container only its own. Prints none of them.

`python hand_out.py FOLDER`: secrets are kept in FOLDER/all, by the same code as `make up` keeps them; every
other folder below FOLDER is the volume of one container.
"""  # noqa: INP001

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from devstack.environment import database_url
from devstack.secrets import Secrets
from devstack.topology import PROGRAMS, SERVICES

_POSTGRES_URL = "postgresql://postgres:5432"
_REDIS_HOST = "valkey:6379"

# The numeric users that containers work as: those of our image, of postgres and of grafana.
_COMPTOIR, _POSTGRES, _GRAFANA = 10001, 999, 472


def main(root: Path) -> None:
    """Safe to run again: what was made stays, and what a container lacks is written again."""
    made = Secrets(root / "all")
    for program in PROGRAMS:
        _give(root / program, _of_program(made, program), owner=_COMPTOIR)
    _give(root / "owners", _of_owners(made), owner=_COMPTOIR)
    _give(root / "postgres", {"superuser.password": made.superuser_password}, owner=_POSTGRES)
    _give(root / "valkey", {"valkey.conf": f"requirepass {made.redis_password}"}, owner=_COMPTOIR)
    _give(root / "localstripe", {"webhook.secret": made.stripe_webhook_secret}, owner=_COMPTOIR)
    grafana = {name: _kept(root / "all" / name) for name in ("grafana.password", "grafana.key")}
    _give(root / "grafana", grafana, owner=_GRAFANA)


def _of_program(made: Secrets, program: str) -> dict[str, str]:
    """`environment` is sourced before the program starts; keys are files that its settings name."""
    files = {
        "internal.json": _text(made.internal_key_file(program)),
        "trusted.json": _text(made.internal_keys_file),
    }
    settings = {"REDIS__URL": f"redis://:{made.redis_password}@{_REDIS_HOST}/0"}
    if program in SERVICES:
        settings["DATABASE__URL"] = database_url(
            _POSTGRES_URL, role=f"{program}_app", password=made.app_password(program), database=program
        )
    match program:
        case "auth":
            files["access-token-key.json"] = _text(made.access_token_key_file)
            files["encryption.key"] = _text(made.auth_encryption_key_file)
        case "payment":
            settings["STRIPE__API_KEY"] = made.stripe_api_key
            settings["STRIPE__WEBHOOK_SECRET"] = made.stripe_webhook_secret
        case "notification":
            files["encryption.key"] = _text(made.notification_encryption_key_file)
    return {**files, "environment": _assignments(program, settings)}


def _of_owners(made: Secrets) -> dict[str, str]:
    """For the two kinds of one-shots that act as owners: one makes the roles, the others migrate."""
    files = {"superuser.password": made.superuser_password}
    for service in SERVICES:
        owner, app = made.owner_password(service), made.app_password(service)
        url = database_url(_POSTGRES_URL, role=f"{service}_owner", password=owner, database=service)
        files[f"{service}.environment"] = _assignments(service, {"DATABASE__OWNER_URL": url})
        roles = {"SERVICE": service, "DATABASE": service, "OWNER_PASSWORD": owner, "APP_PASSWORD": app}
        files[f"{service}.roles"] = "\n".join(f"{name}={quote(value)}" for name, value in roles.items())
    return files


def _assignments(program: str, settings: Mapping[str, str]) -> str:
    return "\n".join(f"{program.upper()}_{name}={quote(value)}" for name, value in settings.items())


def _kept(path: Path) -> str:
    """A password that only compose needs, made on the first start."""
    if not path.exists():
        _write(path, secrets.token_urlsafe(24), owner=os.geteuid())
    return _text(path)


def _give(folder: Path, files: Mapping[str, str], *, owner: int) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        _write(folder / name, content, owner=owner)
    folder.chmod(0o700)
    _hand_over(folder, owner)


def _write(path: Path, content: str, *, owner: int) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "w") as file:
        file.write(f"{content}\n")
    _hand_over(draft, owner)
    draft.replace(path)


def _hand_over(path: Path, owner: int) -> None:
    if os.geteuid() == 0:  # in a test nobody else needs to read it
        os.chown(path, owner, owner)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
