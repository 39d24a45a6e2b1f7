"""Rules of our own on Python sources, read as syntax trees: what the style guide says, with a place."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.checks.sources import ROOT, written_python

_LONGEST_FILE = 400
_BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}
_BROAD_EDGES = (
    "servicekit/rpc/guard.py",
    "servicekit/consumer.py",
    "servicekit/timers.py",
    "gateway/edge.py",
    "gateway/following/loop.py",
    "gateway/limits/shared.py",
)
_TRANSACTION_OPENERS = {"usecases", "timers"}
_BANNED_IN_TESTS = {
    "MagicMock",
    "AsyncMock",
    "Mock",
    "monkeypatch",
    "skip",
    "skipif",
    "xfail",
    "importorskip",
}
_PROTOBUF_USERS = {"servicer", "consumer", "events", "clients"}

Rule = Callable[[Path, ast.Module], Iterator[str]]


def check(root: Path = ROOT) -> Iterator[str]:
    """Each break of a rule, with its file and line."""
    for path in written_python(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(root)
        for rule in RULES:
            for problem in rule(name, tree):
                yield f"{name}:{problem}"


def _service_part(name: Path) -> str | None:
    """The role of a service's module: services/booking/booking/usecases/guests.py is "usecases"."""
    parts = name.parts
    if parts[0] != "services" or len(parts) < 4 or parts[2] != parts[1]:  # noqa: PLR2004
        return None
    return parts[3].removesuffix(".py")


def _is_test(name: Path) -> bool:
    return "tests" in name.parts or name.name == "conftest.py"


def file_is_short(name: Path, _tree: ast.Module) -> Iterator[str]:
    """Files over 400 lines are split by aggregate."""
    lines = len((ROOT / name).read_text(encoding="utf-8").splitlines()) if (ROOT / name).exists() else 0
    if lines > _LONGEST_FILE:
        yield f"1: {lines} lines; split it by aggregate"


def name_says_something(name: Path, _tree: ast.Module) -> Iterator[str]:
    """No utils, helpers, common, base or manager."""
    if {part.removesuffix(".py") for part in name.parts} & _BANNED_NAMES:
        yield "1: this name says nothing"


def only_edges_catch_everything(name: Path, tree: ast.Module) -> Iterator[str]:
    """`except Exception` lives at the edges only."""
    if str(name).endswith(_BROAD_EDGES):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            if caught in {"Exception", "BaseException", "everything"} and not _reraises(node):
                yield f"{node.lineno}: catches {caught} outside the edges"


def _reraises(node: ast.ExceptHandler) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def transactions_begin_in_use_cases(name: Path, tree: ast.Module) -> Iterator[str]:
    """Only use cases and timers open a transaction, and nobody commits by hand."""
    part = _service_part(name)
    if part is None or _is_test(name):
        return
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        called = node.func.attr
        if called == "commit":
            yield f"{node.lineno}: commits by hand"
        if called in {"begin", "begin_platform"} and part not in _TRANSACTION_OPENERS:
            yield f"{node.lineno}: opens a transaction outside use cases and timers"


def protobuf_stays_at_the_edges(name: Path, tree: ast.Module) -> Iterator[str]:
    """Generated messages appear in servicers, consumers, events and clients, and where a service is wired."""
    part = _service_part(name)
    if part is None or part in _PROTOBUF_USERS | {"__main__"}:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("comptoir."):
            yield f"{node.lineno}: imports the contract"


def tests_use_real_things(name: Path, tree: ast.Module) -> Iterator[str]:
    """No mocks, no patching, no skipping, no sleeping."""
    if not _is_test(name):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute | ast.arg):
            word = (
                node.id
                if isinstance(node, ast.Name)
                else node.attr
                if isinstance(node, ast.Attribute)
                else node.arg
            )
            if word in _BANNED_IN_TESTS:
                yield f"{node.lineno}: uses {word}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep"}:
            seconds = ast.unparse(node.args[0]) if node.args else ""
            if seconds != "0":
                yield f"{node.lineno}: sleeps instead of waiting for something"


def no_slow_middleware(_name: Path, tree: ast.Module) -> Iterator[str]:
    """BaseHTTPMiddleware costs three requests' worth of CPU."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.alias):
            word = node.id if isinstance(node, ast.Name) else node.name
            if word == "BaseHTTPMiddleware":
                yield f"{getattr(node, 'lineno', 1)}: uses BaseHTTPMiddleware"


RULES: tuple[Rule, ...] = (
    file_is_short,
    name_says_something,
    only_edges_catch_everything,
    transactions_begin_in_use_cases,
    protobuf_stays_at_the_edges,
    tests_use_real_things,
    no_slow_middleware,
)
