"""Generated files are what their generators write today."""

import filecmp
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.checks.sources import ROOT
from tools.codegen import documents, protos


def check() -> Iterator[str]:
    """Each generated file that differs."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        protos.generate(fresh)
        for package in protos.PACKAGES:
            yield from _differences(ROOT / "libs" / "protos" / package, fresh / package)
    for path, render in documents.DOCUMENTS.items():
        target = ROOT / path
        if not target.exists() or target.read_text(encoding="utf-8") != render():
            yield f"{path} is stale: make generate"


def _differences(committed: Path, fresh: Path) -> Iterator[str]:
    names = {
        path.relative_to(root) for root in (committed, fresh) for path in root.rglob("*") if path.is_file()
    }
    for name in sorted(names):
        if "__pycache__" in name.parts:
            continue
        left, right = committed / name, fresh / name
        if not (left.exists() and right.exists() and filecmp.cmp(left, right, shallow=False)):
            yield f"{committed.relative_to(ROOT) / name} is stale: make generate"
