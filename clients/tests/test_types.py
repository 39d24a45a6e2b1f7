"""Both clients hold under the strictest type checkers, as do programs that use them; wrong ones do not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from testkit import typescript
from tools.checks.sources import ROOT
from tools.clients.build import WRITTEN

EXAMPLES = WRITTEN / "examples"
WRONG_IN_PYTHON = {
    "no such operation": "api.book_everything()",
    "a word that is none": (
        'api.create_resource("v", {"name": "T", "kind": "sofa", "min_party": 1, "max_party": 2})'
    ),
    "a field is missing": 'api.create_area("v", {})',
    "an unknown field": 'api.create_area("v", {"name": "A", "colour": "red"})',
    "a wrong type": 'api.search_availability("v", date="2027-01-01", party_size="2")',
    "a parameter is missing": 'api.search_availability("v", party_size=2)',
    "an answer has no such field": 'api.create_area("v", {"name": "A"})["size"]',
    "a key that is not honoured": 'api.find_sso({"email": "a@a.example"}, idempotency_key="k")',
}
WRONG_IN_TYPESCRIPT = {
    "no such operation": "await api.bookEverything();",
    "a word that is none": (
        "await api.createResource({ venue_id: 'v',"
        " body: { name: 'T', kind: 'sofa', min_party: 1, max_party: 2 } });"
    ),
    "a field is missing": "await api.createArea({ venue_id: 'v', body: {} });",
    "an unknown field": "await api.createArea({ venue_id: 'v', body: { name: 'A', colour: 'red' } });",
    "a wrong type": "await api.searchAvailability({ venue_id: 'v', date: '2027-01-01', party_size: '2' });",
    "a parameter is missing": "await api.searchAvailability({ venue_id: 'v', party_size: 2 });",
    "an answer has no such field": "(await api.createArea({ venue_id: 'v', body: { name: 'A' } })).size;",
    "what may be absent is used": "(await api.getBooking({ booking_id: 'b' })).guest.name;",
}


def mypy(*targets: Path, built: Path, scratch: Path) -> list[str]:
    """What mypy finds, at its strictest, as a user of the package would run it."""
    cache = built / "mypy"  # of all these tests, which share what they import
    command = ["-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(cache), "--no-error-summary"]
    done = subprocess.run(
        [sys.executable, *command, *map(str, targets)],
        cwd=scratch,
        env={"MYPYPATH": str(built / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.timeout(300)
def test_the_python_client_and_its_example_are_typed_strictly(built: Path, tmp_path: Path) -> None:
    package = built / "python" / "comptoir_client"
    assert mypy(package, EXAMPLES / "main_job.py", built=built, scratch=tmp_path) == []


@pytest.mark.timeout(300)
def test_mypy_refuses_wrong_programs(built: Path, tmp_path: Path) -> None:
    lines = ["from comptoir_client import Comptoir", 'api = Comptoir("http://a.example")']
    first = len(lines) + 1
    program = tmp_path / "wrong.py"
    program.write_text("\n".join([*lines, *WRONG_IN_PYTHON.values()]) + "\n", encoding="utf-8")
    found = {
        int(line.split(":")[1]) for line in mypy(program, built=built, scratch=tmp_path) if ": error:" in line
    }
    missed = [what for line, what in enumerate(WRONG_IN_PYTHON, first) if line not in found]
    assert missed == []
    assert found == set(range(first, first + len(WRONG_IN_PYTHON)))


def test_the_typescript_client_and_its_example_are_typed_strictly(
    typescript_package: Path, tmp_path: Path
) -> None:
    script = typescript.compile_program(EXAMPLES / "main_job.ts", typescript_package, tmp_path / "program")
    assert script.exists()
    settings = (WRITTEN / "typescript" / "tsconfig.json").read_text(encoding="utf-8")
    for strict in ("strict", "exactOptionalPropertyTypes", "noUncheckedIndexedAccess"):
        assert f'"{strict}": true' in settings


def test_tsc_refuses_wrong_programs(typescript_package: Path, tmp_path: Path) -> None:
    lines = ['import { Comptoir } from "comptoir-client";', 'const api = new Comptoir({ url: "" });']
    first = len(lines) + 1
    program = tmp_path / "wrong.ts"
    program.write_text("\n".join([*lines, *WRONG_IN_TYPESCRIPT.values()]) + "\n", encoding="utf-8")
    with pytest.raises(typescript.Refused) as refused:
        typescript.compile_program(program, typescript_package, tmp_path / "program")
    complaints = [line for line in str(refused.value).splitlines() if ": error " in line]
    found = {int(line.partition("(")[2].partition(",")[0]) for line in complaints}
    assert found == set(range(first, first + len(WRONG_IN_TYPESCRIPT)))


def fenced(path: Path, language: str) -> str:
    """The program that a README shows."""
    (program,) = re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return str(program)


@pytest.mark.timeout(300)
def test_what_the_readmes_show_is_typed_too(built: Path, typescript_package: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown.py"
    shown.write_text(fenced(WRITTEN / "python" / "README.md", "python"), encoding="utf-8")
    assert mypy(shown, built=built, scratch=tmp_path) == []
    shown = tmp_path / "shown.ts"
    shown.write_text(fenced(WRITTEN / "typescript" / "README.md", "ts"), encoding="utf-8")
    assert typescript.compile_program(shown, typescript_package, tmp_path / "program").exists()


def test_nothing_generated_is_committed() -> None:
    assert not (ROOT / "clients" / "python" / "comptoir_client" / "models.py").exists()
    assert not (ROOT / "clients" / "typescript" / "src" / "models.ts").exists()
