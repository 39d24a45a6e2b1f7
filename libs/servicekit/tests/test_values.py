"""Ids, pages and money: what goes out comes back, and nothing else does."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit import ids, paging
from servicekit.errors import AppError, InvalidPageToken, Kind, catalogue
from servicekit.money import Money


class ThingNotFound(AppError):
    """A thing of these tests."""

    kind = Kind.NOT_FOUND
    reason = "THING_NOT_FOUND"
    detail = "There is no such thing."


@given(st.uuids())
def test_a_shown_id_is_parsed_back(value: UUID) -> None:
    assert ids.parse("bkg", ids.show("bkg", value), ThingNotFound) == value


def test_the_text_form_is_a_typeid() -> None:
    """A vector of the TypeID specification."""
    value = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    assert ids.show("prefix", value) == "prefix_01h455vb4pex5vsknk084sn02q"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bkg",
        "bkg_",
        "ven_01h455vb4pex5vsknk084sn02q",
        "bkg_01h455vb4pex5vsknk084sn02",
        "bkg_81h455vb4pex5vsknk084sn02q",
        "bkg_01H455VB4PEX5VSKNK084SN02Q",
        "bkg_01h455vb4pex5vsknk084sn0iq",
        "bkg_01h455vb4pex5vsknk084sn\uff102q",
    ],
)
def test_anything_else_is_an_id_that_does_not_exist(text: str) -> None:
    with pytest.raises(ThingNotFound):
        ids.parse("bkg", text, ThingNotFound)


def test_new_ids_are_version_7_and_rise_with_time() -> None:
    made = [ids.new() for _ in range(1000)]
    assert {(value.version, value.variant) for value in made} == {(7, "specified in RFC 4122")}
    assert [value.int >> 80 for value in made] == sorted(value.int >> 80 for value in made)
    assert len(set(made)) == len(made)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=3), st.text(max_size=10))
def test_a_page_token_carries_the_last_key(last: list[str], scope: str) -> None:
    first = paging.page(0, "", scope, keys=len(last))
    assert paging.page(10, first.next_token(last), scope, keys=len(last)).after == tuple(last)


@pytest.mark.parametrize("token", ["x", "!!!", "e30", "W10", "WzFd", "bnVsbA"])
def test_a_made_up_page_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidPageToken):
        paging.page(10, token, "list", keys=1)


def test_a_page_token_of_another_list_is_refused() -> None:
    token = paging.page(0, "", "one", keys=1).next_token(["a"])
    with pytest.raises(InvalidPageToken):
        paging.page(10, token, "other", keys=1)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (7, 7), (200, 200), (100_000, 200)])
def test_a_page_size_is_coerced(asked: int, given: int) -> None:
    assert paging.page(asked, "", keys=1).size == given


def test_money_of_two_currencies_does_not_add_up() -> None:
    assert Money(700, "EUR") + Money(300, "EUR") == Money(1000, "EUR")
    assert Money(1000, "EUR") * 7 == Money(7000, "EUR")
    with pytest.raises(ValueError, match="currencies"):
        Money(1, "EUR") + Money(1, "JPY")


def test_reasons_are_unique_and_say_something() -> None:
    known = list(catalogue())
    assert len({error.reason for error in known}) == len(known)
    for error in known:
        assert error.__doc__
        assert error.detail
        assert error.reason == error.reason.upper()


@pytest.mark.parametrize(
    "text", ["", "now", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
)
def test_an_instant_that_no_database_holds_is_no_page_token(text: str) -> None:
    with pytest.raises(InvalidPageToken):
        paging.moment(text)
