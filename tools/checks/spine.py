"""Every service has the same spine and README headings, and follows the topics its relay counts on."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from servicekit import topics
from servicekit.contract import CONTEXTS, events, rpcs
from tools.checks.sources import ROOT

SPINE = frozenset(
    {"__init__", "__main__", "py", "settings"}  # "py" is py.typed
    | {"domain", "tables", "store", "events", "clients", "app"}
    | {"usecases", "servicer", "consumer", "timers"}
)
_OWN = {
    "auth": {"commands", "hashing", "relying_party", "sealing", "tokens"},
    "notification": {"mails"},
}
"""What a service has beside the spine: adapters of things that only it talks to, and commands for the pod."""
HEADINGS = ("Owns", "RPCs", "Events in and out", "Invariants", "Timers", "Runbook")


def check() -> Iterator[str]:
    """Each departure from the spine."""
    for service in CONTEXTS:
        folder = ROOT / "services" / service
        yield from _strange_modules(service, folder / service)
        yield from _missing_headings(folder / "README.md")
        yield from _topics_not_followed(service)
    yield from _rpcs_without_policy()


def _strange_modules(service: str, package: Path) -> Iterator[str]:
    for path in package.iterdir():
        name = path.name.split(".")[0]
        if name not in SPINE | _OWN.get(service, set()) | {"__pycache__"}:
            yield f"services/{service}/{service}/{path.name} is not part of the spine"


def _missing_headings(readme: Path) -> Iterator[str]:
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    for heading in HEADINGS:
        if f"## {heading}\n" not in text:
            yield f"{readme.relative_to(ROOT)} has no heading {heading!r}"


def _topics_not_followed(service: str) -> Iterator[str]:
    handlers = import_module(f"{service}.__main__").SERVICE.handlers
    handled = {events()[message.DESCRIPTOR.full_name].topic for message in handlers}
    counted = set(topics.followed_by(service))
    if handled != counted:
        yield f"{service} handles {sorted(handled)}, but topics.SUBSCRIBERS says {sorted(counted)}"


def _rpcs_without_policy() -> Iterator[str]:
    for path, rpc in rpcs().items():
        if rpc.policy is None or not rpc.policy.audience:
            yield f"{path} has no policy"
