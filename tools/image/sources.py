"""Copies a member's packages, those it stands on, and its migrations into an environment's site-packages."""

import shutil
import sys
from pathlib import Path

from requirements import member_folder, members


def copy(name: str, environment: Path) -> None:
    """Puts everything in place below the environment's one site-packages."""
    (target,) = environment.glob("lib/python3*/site-packages")
    for member in members(name):
        folder = member_folder(member)
        for package in folder.iterdir():
            if (package / "__init__.py").exists() and package.name != "tests":
                shutil.copytree(package, target / package.name, dirs_exist_ok=True)
        if (folder / "migrations").exists():
            shutil.copytree(folder / "migrations", target / member / "migrations")


if __name__ == "__main__":
    copy(sys.argv[1], Path(sys.argv[2]))
