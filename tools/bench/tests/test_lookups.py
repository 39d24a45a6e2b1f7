"""What a search is measured with: every size of party on several days, never one question again and again."""

from itertools import pairwise

from tools.bench import lookups


def test_searches_ask_every_size_of_party_on_every_day_once() -> None:
    paths = [each.split()[1].decode() for each in lookups.searches()]
    assert len(set(paths)) == len(paths) == lookups.SEARCHED_DAYS * len(lookups.PARTIES)
    asked = [dict(pair.split("=") for pair in path.partition("?")[2].split("&")) for path in paths]
    assert {each["party_size"] for each in asked} == {"1", "2", "3", "4"}
    assert all(one["date"] != other["date"] for one, other in pairwise(asked))
