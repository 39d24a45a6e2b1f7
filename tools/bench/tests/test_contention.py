"""The venues that contention is measured on."""

from servicekit import ids
from tools.bench.contention import VENUES, copy_of, copying
from tools.bench.places import Place


def test_copies_share_nothing_with_each_other_nor_with_what_they_are_of() -> None:
    tables = tuple(ids.new() for _ in range(3))
    place = Place(ids.new(), 7, ids.new(), tables, "ven", "off")
    places = [place, *(copy_of(place, number) for number in range(1, VENUES + 3))]
    everything = [each for one in places for each in (one.venue, one.offering, *one.tables)]
    assert len(set(everything)) == len(everything)
    assert len({one.venue_name for one in places}) == len(places)


def test_the_statements_make_the_copy() -> None:
    place = Place(ids.new(), 7, ids.new(), (), "ven", "off")
    copy = copy_of(place, 18)
    text = copying(place, copy, 18, 5)
    assert "PLACING 'c0bed012' FROM 25 FOR 8" in text
    assert str(copy.venue)[24:32] == "c0bed012"
    assert {str(copy.venue), str(copy.offering), str(place.venue), "LIMIT 5", "copy-18"} <= set(
        text.replace("'", "\n").replace(";", "\n").replace(" LIMIT", "\nLIMIT").split("\n")
    )
