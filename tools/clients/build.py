"""Puts a client together: what is written by hand in clients/, and what is generated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from servicekit.api_versions import NEWEST
from tools.checks.sources import ROOT
from tools.clients import document, python, typescript
from tools.clients.shapes import Api

WRITTEN = ROOT / "clients"
DOCUMENT = ROOT / "docs" / "openapi.json"


def read_api(path: Path = DOCUMENT) -> Api:
    """The API that a document describes."""
    return document.read(json.loads(path.read_text(encoding="utf-8")))


def build(target: Path, api: Api) -> None:
    """Writes both packages anew, as `target`/python and `target`/typescript."""
    _put(target / "python", "python", Path("comptoir_client"), python.modules(api, NEWEST))
    _put(target / "typescript", "typescript", Path("src"), typescript.modules(api, NEWEST))


def _put(target: Path, name: str, sources: Path, generated: dict[str, str]) -> None:
    if target.exists():
        shutil.rmtree(target)
    left = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
    shutil.copytree(WRITTEN / name, target, ignore=left)
    shutil.copy(ROOT / "LICENSE", target)
    for file, text in generated.items():
        (target / sources / file).write_text(text, encoding="utf-8")
