"""Each rule finds its break, and lets the right form pass."""

import ast
from pathlib import Path

import pytest

from tools.checks import rules

STORE = Path("services/booking/booking/store.py")
USECASES = Path("services/booking/booking/usecases/guests.py")
TEST = Path("services/booking/tests/test_usecases.py")


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (rules.name_says_something, Path("libs/x/utils.py"), ""),
        (rules.only_edges_catch_everything, STORE, "try:\n    f()\nexcept Exception:\n    pass\n"),
        (rules.only_edges_catch_everything, STORE, "try:\n    f()\nexcept:\n    pass\n"),
        (rules.transactions_begin_in_use_cases, STORE, "app.db.begin(tenant)"),
        (rules.transactions_begin_in_use_cases, USECASES, "tx.commit()"),
        (rules.protobuf_stays_at_the_edges, STORE, "from comptoir.booking.v1 import booking_pb2"),
        (rules.tests_use_real_things, TEST, "from unittest.mock import x\nMagicMock()"),
        (rules.tests_use_real_things, TEST, "def test(monkeypatch): ..."),
        (rules.tests_use_real_things, TEST, "pytest.mark.skip"),
        (rules.tests_use_real_things, TEST, "await_(asyncio.sleep(1))"),
        (rules.no_slow_middleware, STORE, "from starlette.middleware.base import BaseHTTPMiddleware"),
    ],
)
def test_a_break_is_found(rule: rules.Rule, name: Path, source: str) -> None:
    assert list(rule(name, ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (rules.name_says_something, USECASES, ""),
        (
            rules.only_edges_catch_everything,
            STORE,
            "try:\n    f()\nexcept Exception:\n    log()\n    raise\n",
        ),
        (rules.only_edges_catch_everything, STORE, "try:\n    f()\nexcept ValueError:\n    pass\n"),
        (rules.transactions_begin_in_use_cases, USECASES, "app.db.begin(tenant)"),
        (
            rules.protobuf_stays_at_the_edges,
            Path("services/booking/booking/servicer.py"),
            "from comptoir.a import b",
        ),
        (rules.tests_use_real_things, TEST, "asyncio.sleep(0)"),
    ],
)
def test_the_right_form_passes(rule: rules.Rule, name: Path, source: str) -> None:
    assert not list(rule(name, ast.parse(source)))
