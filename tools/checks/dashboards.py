"""Dashboards ask only for metrics that some program has: a renamed metric is an empty panel."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tools.checks.sources import ROOT, written_python

_KINDS = {
    "Counter": ("",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
}
_ASKED = re.compile(r"\bcomptoir_\w+")


def check(root: Path = ROOT) -> Iterator[str]:
    """Each metric that a dashboard asks for in vain."""
    there = set(exposed(root))
    for path in sorted((root / "deploy").rglob("dashboards/*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for name in sorted(set(asked(dashboard)) - there):
            yield f"{path.relative_to(root)} asks for {name}, which no program has"


def exposed(root: Path) -> Iterator[str]:
    """The series of every metric that is defined in the sources."""
    for path in written_python(root):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            kind = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and kind in _KINDS and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    yield from (f"{name.value!s}{suffix}" for suffix in _KINDS[kind])


def asked(dashboard: object) -> Iterator[str]:
    """The metrics of ours in every query of a dashboard."""
    match dashboard:
        case dict():
            for key, value in dashboard.items():
                if key == "expr":
                    yield from _ASKED.findall(str(value))
                else:
                    yield from asked(value)
        case list():
            for value in dashboard:
                yield from asked(value)
