"""Which phases are compared with which, and what each ratio has to reach. The numbers are the product's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.bench.figures import Range, Ratio, Sample, Target, Waits
from tools.bench.phases import Phases

_AT_LEAST_60_PERCENT = Target(0.60, at_least=True)
_AT_LEAST_40_PERCENT = Target(0.40, at_least=True)
_HALF_AS_MUCH_AGAIN = Target(1.5, at_least=False)
_A_THIRD_MORE = Target(1.35, at_least=False)
_THREE_FIFTHS_MORE = Target(1.6, at_least=False)
_AT_MOST_400_MS = Target(400, at_least=False)
_AT_MOST_A_SECOND = Target(1000, at_least=False)


def _rate(sample: Sample) -> float:
    return sample.rate


def _cpu(sample: Sample) -> float:
    return sample.total_cpu


def _per_second(sample: Sample) -> float:
    """What a core with nothing else to do would answer, the load generator included."""
    return 1e6 / (sample.total_cpu + sample.generator_cpu)


def _gateway(sample: Sample) -> float:
    return sample.cpu["gateway"]


def _programs(sample: Sample) -> float:
    return sample.programs_cpu


@dataclass(frozen=True, slots=True)
class _Comparison:
    name: str
    above: str
    below: str
    figure: Callable[[Sample], float]
    target: Target | None = None

    @property
    def phases(self) -> set[str]:
        return {self.above, self.below}

    def take(self, samples: Mapping[str, Sequence[Sample]]) -> Ratio:
        rounds = zip(samples[self.above], samples[self.below], strict=True)
        quotients = [self.figure(above) / self.figure(below) for above, below in rounds]
        return Ratio(self.name, Range.of(quotients), self.target)


_COMPARISONS = (
    _Comparison(
        "edge / bare proxy, CPU of a call", Phases.EMPTY, Phases.EMPTY_PROXY, _programs, _THREE_FIFTHS_MORE
    ),
    _Comparison(
        "edge / bare proxy, signed in, CPU of a call",
        Phases.EMPTY_SIGNED_IN,
        Phases.EMPTY_PROXY,
        _programs,
        _THREE_FIFTHS_MORE,
    ),
    _Comparison("edge / bare proxy, CPU of the gateway alone", Phases.EMPTY, Phases.EMPTY_PROXY, _gateway),
    _Comparison("availability / empty RPC, rate", Phases.SEARCH, Phases.EMPTY, _rate, _AT_LEAST_60_PERCENT),
    _Comparison(
        "availability of changing days / empty RPC, rate", Phases.SEARCH_CHANGING, Phases.EMPTY, _rate
    ),
    _Comparison(
        "booking commits / pgbench, rate", Phases.COMMIT, Phases.PGBENCH, _rate, _AT_LEAST_40_PERCENT
    ),
    _Comparison("booking by HTTP / pgbench, rate", Phases.BOOK, Phases.PGBENCH, _rate),
    _Comparison("booking by HTTP / pgbench, by CPU alone", Phases.BOOK, Phases.PGBENCH, _per_second),
    _Comparison("bare slice / pgbench, rate", Phases.SLICE, Phases.PGBENCH, _rate),
    _Comparison("booking / bare slice, CPU", Phases.BOOK, Phases.SLICE, _cpu, _HALF_AS_MUCH_AGAIN),
    _Comparison(
        "traced at 1 % / not traced, CPU of a search",
        Phases.SEARCH,
        Phases.SEARCH_QUIET,
        _programs,
        _A_THIRD_MORE,
    ),
    _Comparison(
        "traced at 1 % / not traced, CPU of a booking",
        Phases.BOOK,
        Phases.BOOK_QUIET,
        _programs,
        _A_THIRD_MORE,
    ),
)


@dataclass(frozen=True, slots=True)
class _Wait:
    name: str
    phase: str
    figure: Callable[[Waits], float]
    target: Target

    @property
    def phases(self) -> set[str]:
        return {self.phase}

    def take(self, samples: Mapping[str, Sequence[Sample]]) -> Ratio:
        return Ratio(
            self.name, Range.of([self.figure(each.waits) for each in samples[self.phase]]), self.target
        )


_WAITS = (
    _Wait("month overview, p95 ms", Phases.CALENDAR, lambda waits: waits.p95, _AT_MOST_400_MS),
    _Wait("batch of 100 starts, p99 ms", Phases.BATCH, lambda waits: waits.p99, _AT_MOST_A_SECOND),
)


def ratios(samples: Mapping[str, Sequence[Sample]]) -> list[Ratio]:
    """All ratios and waits whose phases were measured; each is taken within a round, then the median."""
    return [each.take(samples) for each in (*_COMPARISONS, *_WAITS) if each.phases <= samples.keys()]
