"""The files that checks read: what git tracks, and what it would."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

GENERATED = ("libs/protos/",)


def tracked(root: Path = ROOT) -> Iterator[Path]:
    """Every file of the project that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in listing.splitlines():
        path = root / name
        if path.is_file():
            yield path


def written_python(root: Path = ROOT) -> Iterator[Path]:
    """Python that people wrote."""
    for path in tracked(root):
        if path.suffix == ".py" and not str(path.relative_to(root)).startswith(GENERATED):
            yield path
