"""Percentiles, ranges, targets and ratios."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench.figures import Range, Sample, Target, Waits, percentile
from tools.bench.phases import Phases
from tools.bench.targets import ratios

_WAITS = Waits(1, 1.5, 2)
SOME = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


def sample(rate: float, *, generator: float = 0.1, waits: Waits = _WAITS, **cpu: float) -> Sample:
    return Sample(rate=rate, cpu=cpu, waits=waits, generator=generator, generator_cpu=10)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)])
def test_a_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([float(each) for each in range(100, 0, -1)], share) == value


@given(values=SOME, share=st.floats(0, 1))
def test_enough_values_do_not_exceed_a_percentile(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert sum(each <= found for each in values) >= share * len(values)
    assert found in values


def test_a_range_keeps_what_the_median_hides() -> None:
    assert Range.of([3.0, 1.0, 10.0]) == Range(3.0, 1.0, 10.0)


def test_a_target_is_reached_from_one_side() -> None:
    least, most = Target(0.6, at_least=True), Target(1.5, at_least=False)
    assert [least.reached(each) for each in (0.59, 0.6, 0.7)] == [False, True, True]
    assert [most.reached(each) for each in (1.4, 1.5, 1.51)] == [True, True, False]


def test_cpu_is_summed_over_processes_with_and_without_the_database() -> None:
    one = sample(10, gateway=500, service=400, postgres=100)
    assert (one.total_cpu, one.programs_cpu) == (1000, 900)


def test_a_busy_generator_is_noticed() -> None:
    assert [sample(1, generator=each).generator_limits for each in (0.5, 0.95)] == [False, True]


def test_ratios_are_taken_within_a_round_and_only_of_what_was_measured() -> None:
    samples = {
        Phases.EMPTY: [sample(100), sample(50), sample(200)],
        Phases.SEARCH: [sample(70), sample(20), sample(100)],
    }
    (only,) = ratios(samples)
    assert only.values == Range(0.5, 0.4, 0.7)
    assert only.reached is False


def test_the_month_overview_is_held_to_how_long_it_takes() -> None:
    samples = {Phases.CALENDAR: [sample(1, waits=Waits.of([0.3] * 95 + [0.9] * 5)) for _ in range(3)]}
    (only,) = ratios(samples)
    assert only.values.median == 300
    assert only.reached is True


def test_only_ratios_whose_phases_were_measured_are_taken() -> None:
    samples = {Phases.BOOK: [sample(1, a=3000)], Phases.SLICE: [sample(1, a=500)]}
    found = {each.name: each.values.median for each in ratios(samples)}
    assert found == {"booking / bare slice, CPU": 6}
