"""Takes one member out of the workspace, for its image. Runs on the standard library alone.

`python tools/image/member.py requirements booking` prints the hashed part of requirements.lock it needs;
`python tools/image/member.py sources booking DIR` copies its packages into the environment at DIR.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VIA = re.compile(r"^\s+#\s+(?:via\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)")


def normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def member_folder(name: str) -> Path:
    """Where a workspace member lives."""
    for folder in (ROOT / "gateway", *(ROOT / "libs").iterdir(), *(ROOT / "services").iterdir()):
        project = folder / "pyproject.toml"
        if project.exists() and tomllib.loads(project.read_text())["project"]["name"] == f"comptoir-{name}":
            return folder
    sys.exit(f"no workspace member comptoir-{name}")


def members(name: str) -> set[str]:
    """A member and the members it stands on, without their `comptoir-`."""
    found = {name}
    for dependency in _dependencies(name):
        if dependency.startswith("comptoir-"):
            found |= members(dependency.removeprefix("comptoir-"))
    return found


def _dependencies(name: str) -> list[str]:
    project = tomllib.loads((member_folder(name) / "pyproject.toml").read_text())["project"]
    return [normal(match[0]) for each in project.get("dependencies", []) if (match := _NAME.match(each))]


def parse(lock: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """The lock's entries by name, and for each name who needs it."""
    entries: dict[str, list[str]] = {}
    needed_by: dict[str, set[str]] = {}
    current = ""
    for line in lock.splitlines():
        if match := _ENTRY.match(line):
            current = normal(match[1])
            entries[current] = []
            needed_by[current] = set()
        if via := _VIA.match(line):
            if via[1] != "via":
                needed_by[current].add(normal(via[1]))
        elif current and line.strip() and not line.lstrip().startswith("#"):
            entries[current].append(line)
    return {name: "\n".join(lines) for name, lines in entries.items()}, needed_by


def requirements(name: str, lock: str) -> str:
    """The entries that the member needs, transitively."""
    entries, needed_by = parse(lock)
    wanted = {
        dependency
        for member in members(name)
        for dependency in _dependencies(member)
        if not dependency.startswith("comptoir-")
    }
    missing = wanted - entries.keys()
    if missing:
        sys.exit(f"not locked: {', '.join(sorted(missing))}")
    growing = True
    while growing:
        more = {each for each, users in needed_by.items() if users & wanted} - wanted
        wanted |= more
        growing = bool(more)
    return "\n".join(entries[each] for each in sorted(wanted)) + "\n"


def copy_sources(name: str, environment: Path) -> None:
    """Puts the member, those it stands on and its migrations below the environment's one site-packages."""
    (target,) = environment.glob("lib/python3*/site-packages")
    for member in members(name):
        folder = member_folder(member)
        for package in folder.iterdir():
            if (package / "__init__.py").exists() and package.name != "tests":
                shutil.copytree(package, target / package.name, dirs_exist_ok=True)
        if (folder / "migrations").exists():
            shutil.copytree(folder / "migrations", target / member / "migrations")


if __name__ == "__main__":
    verb, member_name = sys.argv[1:3]
    if verb == "requirements":
        print(requirements(member_name, (ROOT / "requirements.lock").read_text()), end="")
    else:
        copy_sources(member_name, Path(sys.argv[3]))
