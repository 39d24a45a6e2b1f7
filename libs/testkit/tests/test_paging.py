"""The walk sees what it is to see: a pager without tie-breaker and one by offset fail it."""

import ast
from collections.abc import Callable, Hashable, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import find, given, settings

from servicekit import contract
from testkit.paging import PLANS, Change, PageLost, Plan, paged, walk

Row = tuple[int, int]
Pager = Callable[[list[Row], int, str], tuple[list[Row], str]]


class Rows:
    """A list in memory, sorted by a value that many share, and by number."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager
        self._rows: list[Row] = []
        self._numbers = count()

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        made = [(sort, next(self._numbers)) for _ in range(number)]
        self._rows += made
        return made

    async def remove(self, *rows: Hashable) -> bool:
        self._rows = [each for each in self._rows if each not in rows]
        return True

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        return self._pager(sorted(self._rows), size, token)


def by_key(rows: list[Row], size: int, token: str) -> tuple[list[Row], str]:
    after = tuple(map(int, token.split(","))) if token else (-1, -1)
    rest = [each for each in rows if each > after]
    return rest[:size], ",".join(map(str, rest[size - 1])) if len(rest) > size else ""


def by_offset(rows: list[Row], size: int, token: str) -> tuple[list[Row], str]:
    start = int(token or 0)
    return rows[start : start + size], str(start + size) if len(rows) > start + size else ""


def without_tie_breaker(rows: list[Row], size: int, token: str) -> tuple[list[Row], str]:
    rest = [each for each in rows if each[0] > int(token)] if token else rows
    return rest[:size], str(rest[size - 1][0]) if len(rest) > size else ""


def forever(rows: list[Row], size: int, _token: str) -> tuple[list[Row], str]:
    return rows[:size], "again"


def test_walks_differ() -> None:
    plan = find(PLANS, lambda each: any(not change.number for step in each.between for change in step))
    assert plan.size >= 1


@settings(deadline=None)
@given(plan=PLANS)
async def test_a_pager_by_key_passes(plan: Plan) -> None:
    await walk(Rows(by_key), plan)


GONE = Plan((Change(0, 4),), 2, ((Change(0, 0),),))
COME = Plan((Change(1, 4),), 2, ((Change(0, 1),),))
TIED = Plan((Change(0, 3),), 2, ())


@pytest.mark.parametrize(
    ("pager", "plan"), [(by_offset, GONE), (by_offset, COME), (without_tie_breaker, TIED), (forever, TIED)]
)
async def test_other_pagers_fail(pager: Pager, plan: Plan) -> None:
    with pytest.raises(PageLost):
        await walk(Rows(pager), plan)
    await walk(Rows(by_key), plan)


def registered(tests: Path) -> set[str]:
    """The RPCs that LISTS in test_paging*.py walk: what is behind a space tells walks of one apart."""
    named = set()
    for node in [each for file in tests.glob("test_paging*.py") for each in ast.parse(file.read_text()).body]:
        match node:
            case (
                ast.Assign(targets=[ast.Name("LISTS")], value=ast.Dict(keys=keys))
                | ast.AnnAssign(target=ast.Name("LISTS"), value=ast.Dict(keys=keys))
            ):
                named |= {str(ast.literal_eval(key)).partition(" ")[0] for key in keys if key}
    return named


@pytest.mark.parametrize("service", contract.CONTEXTS)
def test_every_paged_list_of_the_contract_is_walked(service: str, pytestconfig: pytest.Config) -> None:
    assert registered(pytestconfig.rootpath / "services" / service / "tests") == paged(service)


def test_a_list_without_a_walk_is_missed(pytestconfig: pytest.Config) -> None:
    payment = pytestconfig.rootpath / "services/payment/tests"
    assert registered(payment / "nowhere") == set() != paged("payment")
