"""The evenings that policies are compared on, and that the engine gains by what it does."""

from collections import Counter
from itertools import pairwise

import pytest

from tools.bench.seating import speed
from tools.bench.seating.__main__ import compare
from tools.bench.seating.evenings import evening
from tools.bench.seating.policies import Policy, play

PLANS = 3


def test_a_seed_is_an_evening() -> None:
    assert evening(3).requests == evening(3).requests
    assert evening(3).requests != evening(4).requests


def test_the_engine_gains_covers_and_more_when_others_may_move() -> None:
    houses = compare(PLANS)
    first, best, reseating = (sum(each.covers for each in houses[policy]) for policy in Policy)
    assert 0 < first <= best <= reseating
    assert [sum(each.moved for each in houses[policy]) > 0 for policy in Policy] == [False, False, True]


@pytest.mark.parametrize("policy", Policy)
def test_nobody_shares_a_table_and_everybody_has_the_starts_they_asked_for(policy: Policy) -> None:
    wanted = evening(1)
    house = play(wanted, policy)
    assert house.parties <= len(wanted.requests)
    taken = sorted(house.taken.allocations, key=lambda each: (each.resource_id, each.start))
    for one, other in pairwise(taken):
        assert one.resource_id != other.resource_id or one.end <= other.start
    seated = Counter((each.party, each.start) for each in house.taken.known_placements)
    asked = Counter((each.party, start) for each in wanted.requests for start in each.starts)
    assert seated <= asked


@pytest.mark.parametrize("crowded", [False, True])
def test_a_search_of_a_full_house_is_timed_for_every_size(crowded: bool) -> None:  # noqa: FBT001
    house = speed.full_house(crowded=crowded)
    assert house.parties == 200
    times = speed.measure(house, rounds=2)
    assert list(times) == list(range(1, 13))
    assert all(0 < each.p50 <= each.p95 <= each.most for each in times.values())
    assert speed.overall(times).most == max(each.most for each in times.values())
