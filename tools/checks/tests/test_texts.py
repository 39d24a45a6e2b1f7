"""The guide shows ids of real runs."""

import pytest

from tools.checks import texts


def test_the_texts_of_the_tree_hold_nothing_that_must_not_stand_there() -> None:
    assert list(texts.check()) == []


@pytest.mark.parametrize(
    "stand_in",
    [
        "bkg_1",
        "org_1",
        "off_01k0...",
        "ven_01m8215gw1ejgvsg5d36110rv",  # one too short
        "ven_01m8215gw1ejgvsg5d36110rvww",  # one too long
        "ven_81m8215gw1ejgvsg5d36110rvw",  # more than 128 bits
        "ven_01m8215gw1ejgvsg5d36110rvu",  # not of the alphabet
        "ven_01M8215GW1EJGVSG5D36110RVW",
    ],
)
def test_a_made_up_id_is_found(stand_in: str) -> None:
    found = stand_in.removesuffix("...")
    assert list(texts.stand_ins(f"# Guide\n\n    GET /v1/things/{stand_in}/terms\n")) == [(3, found)]


@pytest.mark.parametrize(
    "text",
    [
        '{"id":"ven_01m8215gw1ejgvsg5d36110rvw"}',
        "venue:ven_01m8215gw1ejgvsg5d36110rvw",
        "off_01k0…",
        "`ven_…`, `cpt_live_…`",
        "{key_id}, api_keys, no_show, expires_in2",
    ],
)
def test_a_real_or_shortened_id_passes(text: str) -> None:
    assert list(texts.stand_ins(text)) == []
