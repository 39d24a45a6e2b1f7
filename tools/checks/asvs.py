"""The list of ASVS 5.0: each requirement up to level 2 stands there once, and the tests it names exist."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.checks.sources import ROOT

_FILE = "docs/security/asvs.md"
_STATES = {"met", "partly", "not met", "n/a"}
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| [^|]+ \| ([^|]*) \| [^|]+ \| ([^|]*) \|$", re.MULTILINE)
_NUMBER = re.compile(r"^\| (\d+\.\d+\.\d+) \|", re.MULTILINE)
_TEST = re.compile(r"`([\w/.-]+\.py)::(\w+)`")

# Section → the numbers of its requirements up to level 2; what is left out is of level 3.
REQUIRED = {
    "1.1": "1-2", "1.2": "1-9", "1.3": "1-11", "1.4": "1-3", "1.5": "1-2",
    "2.1": "1-3", "2.2": "1-3", "2.3": "1-4", "2.4": "1-1",
    "3.2": "1-2", "3.3": "1-4", "3.4": "1-6", "3.5": "1-5", "3.7": "1-2",
    "4.1": "1-3", "4.2": "1-1", "4.3": "1-2", "4.4": "1-4",
    "5.1": "1-1", "5.2": "1-3", "5.3": "1-2", "5.4": "1-3",
    "6.1": "1-3", "6.2": "1-12", "6.3": "1-4", "6.4": "1-4", "6.5": "1-5", "6.6": "1-3", "6.8": "1-4",
    "7.1": "1-3", "7.2": "1-4", "7.3": "1-2", "7.4": "1-5", "7.5": "1-2", "7.6": "1-2",
    "8.1": "1-2", "8.2": "1-3", "8.3": "1-1", "8.4": "1-1",
    "9.1": "1-3", "9.2": "1-4",
    "10.1": "1-2", "10.2": "1-2", "10.3": "1-4", "10.4": "1-11", "10.5": "1-5", "10.6": "1-2", "10.7": "1-3",
    "11.1": "1-2", "11.2": "1-3", "11.3": "1-3", "11.4": "1-4", "11.5": "1-1", "11.6": "1-1",
    "12.1": "1-3", "12.2": "1-2", "12.3": "1-4",
    "13.1": "1-1", "13.2": "1-5", "13.3": "1-2", "13.4": "1-5",
    "14.1": "1-2", "14.2": "1-4", "14.3": "1-3",
    "15.1": "1-3", "15.2": "1-3", "15.3": "1-7",
    "16.1": "1-1", "16.2": "1-5", "16.3": "1-4", "16.4": "1-3", "16.5": "1-3",
    "17.1": "1-1", "17.2": "1-4", "17.3": "1-2",
}  # fmt: skip


def check(root: Path = ROOT) -> Iterator[str]:
    """What the list lacks or claims in vain."""
    text = (root / _FILE).read_text(encoding="utf-8")
    yield from (f"{_FILE}: {problem}" for problem in (*incomplete(text), *unproven(text, root)))


def requirements() -> set[str]:
    """Every requirement of the levels 1 and 2."""
    spans = {section: tuple(map(int, span.split("-"))) for section, span in REQUIRED.items()}
    return {f"{section}.{n}" for section, (first, last) in spans.items() for n in range(first, last + 1)}


def incomplete(text: str) -> Iterator[str]:
    """Requirements that are not listed, or not once, or without saying how it stands."""
    listed = Counter(_NUMBER.findall(text))
    rows = {item: (state, proof) for item, state, proof in _ROW.findall(text)}
    for item in sorted(requirements() - listed.keys()):
        yield f"{item} is not listed"
    for item, times in listed.items():
        state, proof = rows.get(item, ("", ""))
        if times > 1:
            yield f"{item} is listed {times} times"
        if state not in _STATES:
            yield f"{item}: how it stands must be one of {', '.join(sorted(_STATES))}"
        elif state in {"met", "partly"} and not proof.strip():
            yield f"{item} is {state} without a proof"


def unproven(text: str, root: Path) -> Iterator[str]:
    """Tests that are named and are not there."""
    for name, test in _TEST.findall(text):
        if test not in tests_of(root / name):
            yield f"{name}::{test} does not exist"


@cache
def tests_of(path: Path) -> frozenset[str]:
    """The tests of a file; none of a file that is not there."""
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions if each.name.startswith("test_"))
