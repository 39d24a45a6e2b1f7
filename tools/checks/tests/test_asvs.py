"""The list of ASVS is complete, and its proofs are there."""

from pathlib import Path

import pytest

from tools.checks import asvs

GOOD = "| 6.2.1 | length | met | twelve | `test_it.py::test_holds` |"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(
        "def test_holds() -> None: ...\n\n\nasync def test_waits() -> None: ...\n"
    )
    return tmp_path


def test_the_list_of_the_tree_is_complete_and_proven() -> None:
    assert list(asvs.check()) == []


def test_there_are_as_many_requirements_as_the_standard_has_up_to_level_2() -> None:
    assert len(asvs.requirements()) == 253


@pytest.mark.parametrize(
    "row",
    [
        GOOD.replace("test_holds", "test_gone"),
        GOOD.replace("test_it.py", "test_gone.py"),
        GOOD.replace("test_holds` |", "test_holds` `test_it.py::test_gone` |"),
    ],
)
def test_a_test_that_is_not_there_is_found(row: str, root: Path) -> None:
    assert list(asvs.unproven(row, root))


@pytest.mark.parametrize("name", ["test_holds", "test_waits"])
def test_a_test_that_is_there_passes(name: str, root: Path) -> None:
    assert list(asvs.unproven(GOOD.replace("test_holds", name), root)) == []


def test_what_is_missing_doubled_or_says_nothing_is_found() -> None:
    whole = "\n".join(f"| {each} | x | n/a | none | |" for each in sorted(asvs.requirements()))
    whole = whole.replace("| |", "|  |")
    assert list(asvs.incomplete(whole)) == []
    assert list(asvs.incomplete(whole.replace("| 9.1.2 | x | n/a | none |  |\n", ""))) == [
        "9.1.2 is not listed"
    ]
    assert list(asvs.incomplete(f"{whole}\n| 9.1.2 | x | n/a | none |  |")) == ["9.1.2 is listed 2 times"]
    unknown = whole.replace("| 9.1.2 | x | n/a |", "| 9.1.2 | x | done |")
    assert [each.partition(":")[0] for each in asvs.incomplete(unknown)] == ["9.1.2"]
    claimed = whole.replace("| 9.1.2 | x | n/a |", "| 9.1.2 | x | met |")
    assert list(asvs.incomplete(claimed)) == ["9.1.2 is met without a proof"]
