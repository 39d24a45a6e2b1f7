"""docker-compose.yml holds to the official schema and to our own rules. Needs no container engine."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from devstack.topology import CALLS, PROGRAMS
from tools.checks.sources import ROOT

Service = Mapping[str, Any]

_FILE = "docker-compose.yml"
_OWN_BUILDS = {"localstripe": "deploy/compose/localstripe/Dockerfile"}
"""What is not built from the one Dockerfile."""
_WITHOUT_PROBE = {"otel-collector"}
"""Its image holds one program, and that cannot probe."""
_PINNED = re.compile(r".+:v?\d+\.\d+(\.\d+)?\S*")
_LOCAL = re.compile(r"comptoir-[a-z]+:local")
_SECRET_NAME = re.compile(r"PASSWORD|SECRET|API_KEY|TOKEN|CREDENTIAL|DATABASE__(OWNER_)?URL|REDIS__URL")
_SECRET_VALUE = re.compile(r"://[^/@\s]*:[^/@\s]+@|requirepass\s+\S|sk_test_|whsec_")
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)")


def check(root: Path = ROOT) -> Iterator[str]:
    """Each thing that is wrong."""
    text = (root / _FILE).read_text(encoding="utf-8")
    project = yaml.safe_load(text)
    yield from _breaks_of_schema(project)
    for name, service in project["services"].items():
        for rule in RULES:
            yield from (f"{_FILE}: {name}: {problem}" for problem in rule(name, service))
    yield from _undocumented(text, (root / ".env.example").read_text(encoding="utf-8"))
    yield from _missing_files(project, root)


def _breaks_of_schema(project: Mapping[str, Any]) -> Iterator[str]:
    """By the schema of compose-spec, which check-jsonschema carries."""
    raw = files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text()
    schema = json.loads(raw)
    validator = jsonschema.validators.validator_for(schema)(schema)
    for error in validator.iter_errors(project):
        yield f"{_FILE}: {'.'.join(map(str, error.absolute_path)) or 'file'}: {error.message}"


def is_a_known_image(name: str, service: Service) -> Iterator[str]:
    """Built here from the one Dockerfile, or taken at a pinned version."""
    build = service.get("build")
    if build is None:
        if not _PINNED.fullmatch(service.get("image", "")):
            yield "needs an image with a version"
        return
    if not _LOCAL.fullmatch(service.get("image", "")):
        yield "what is built here is named comptoir-…:local"
    if name in _OWN_BUILDS:
        if build.get("dockerfile") != _OWN_BUILDS[name]:
            yield f"is built from {_OWN_BUILDS[name]}"
    elif build.get("dockerfile", "Dockerfile") != "Dockerfile":
        yield "is not built from the one Dockerfile"
    elif build.get("args", {}).get("SERVICE") not in PROGRAMS:
        yield "SERVICE names none of our programs"


def says_how_it_is(name: str, service: Service) -> Iterator[str]:
    """Whatever goes on running has a health check; what runs once does not restart."""
    if service.get("restart") not in {"no", "unless-stopped"}:
        yield 'restart is "no" for what runs once, else unless-stopped'
    if service.get("restart") != "no" and "healthcheck" not in service and name not in _WITHOUT_PROBE:
        yield "has no healthcheck"


def holds_no_secret(_name: str, service: Service) -> Iterator[str]:
    """No secret stands in the file, not even a default one: they come as files, sourced at the start."""
    environment = service.get("environment", {})
    if isinstance(environment, list):
        yield "environment is a mapping"
        return
    for variable, value in environment.items():
        is_path = variable.endswith("FILE") and str(value).startswith("/run/comptoir/")
        if _SECRET_NAME.search(variable) and not is_path:
            yield f"{variable} is a secret and does not belong here"
    if _SECRET_VALUE.search(json.dumps(service)):
        yield "holds something that looks like a secret"


def is_reached_from_here_only(_name: str, service: Service) -> Iterator[str]:
    """Published ports are bound to loopback."""
    for port in service.get("ports", ()):
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is not bound to loopback"


def calls_whom_it_may(name: str, service: Service) -> Iterator[str]:
    """The peers of a program are those of the platform's one list."""
    if name not in PROGRAMS:
        return
    prefix = f"{name.upper()}_PEERS__"
    named = {each for each in service["environment"] if each.startswith(prefix)}
    if named != {prefix + peer.upper() for peer in CALLS[name]}:
        yield f"peers must be {', '.join(CALLS[name]) or 'none'}"


RULES: tuple[Callable[[str, Service], Iterator[str]], ...] = (
    is_a_known_image,
    says_how_it_is,
    holds_no_secret,
    is_reached_from_here_only,
    calls_whom_it_may,
)


def _undocumented(text: str, example: str) -> Iterator[str]:
    """Every variable that the file reads is explained in .env.example."""
    for variable in sorted(set(_VARIABLE.findall(text))):
        if not re.search(rf"^#? ?{variable}=", example, re.MULTILINE):
            yield f"{_FILE}: {variable} is not in .env.example"


def _missing_files(project: Mapping[str, Any], root: Path) -> Iterator[str]:
    """What is mounted from the tree is there: a missing source would become an empty folder of root's."""
    for name, service in project["services"].items():
        for volume in service.get("volumes", ()):
            source = str(volume).split(":")[0]
            if source.startswith(".") and not (root / source).exists():
                yield f"{_FILE}: {name}: {source} does not exist"
            if not source.startswith(".") and source not in project["volumes"]:
                yield f"{_FILE}: {name}: volume {source} is not declared"
