"""`python -m devstack.seed`: makes the demo organization once, through HTTP like any owner would."""

import json
import os
import secrets
from pathlib import Path

from devstack.demo import owner as owners
from devstack.demo.api import Api, Refused, Sink
from devstack.settings import read_settings

_EMAIL = "paulette@demo.example"
_SLUG = "chez-paulette"


def main() -> None:
    """Does nothing when the demo organization is there already."""
    settings = read_settings(Path.cwd())
    record = settings.state_dir / "demo.json"
    if record.exists():
        return
    gateway = os.environ.get("COMPTOIR_GATEWAY_URL", f"http://127.0.0.1:{settings.ports.gateway}")
    api = Api(gateway)
    sink = Sink(os.environ.get("COMPTOIR_SINK_URL", f"http://127.0.0.1:{settings.ports.sink}"))
    draft = record.with_suffix(".draft")
    password = _password(draft)
    owner = _owner(api, sink, password)
    try:
        owners.open_chez_paulette(owner, slug=_SLUG)
    except Refused as refusal:
        if refusal.reason != "VENUE_SLUG_TAKEN":
            raise
    login = {"who": "owner", "email": _EMAIL, "password": password}
    links = {"Demo venue": f"{gateway}/v1/venues/{_SLUG}"}
    _write(draft, {"logins": [login], "links": links})
    draft.rename(record)
    api.close()
    sink.close()


def _owner(api: Api, sink: Sink, password: str) -> owners.Owner:
    """Registers, or logs in where an earlier seed was interrupted."""
    try:
        return owners.log_in(api, email=_EMAIL, password=password)
    except Refused:
        return owners.register(api, sink, email=_EMAIL, password=password, organization="Chez Paulette")


def _password(draft: Path) -> str:
    """A random password, written down before it is used, so that an interrupted seed can go on."""
    if draft.exists():
        kept: str = json.loads(draft.read_text(encoding="utf-8"))["password"]
        return kept
    made = secrets.token_urlsafe(15)
    _write(draft, {"password": made})
    return made


def _write(path: Path, content: object) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        json.dump(content, file)


if __name__ == "__main__":
    main()
