"""Samples of rounds, their medians and spreads, and ratios of phases taken in the same round. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_BUSY_CORE = 0.8


@dataclass(frozen=True, slots=True)
class Sample:
    """One phase in one round."""

    rate: float
    """Answers per second."""
    cpu: Mapping[str, float]
    """CPU µs per answer, by process."""
    waits: "Waits"
    generator: float
    """Share of one core that the load generator used."""
    generator_cpu: float
    """CPU µs per answer of the load generator; not part of `cpu`."""
    wrong: Mapping[str, int] = field(default_factory=dict)
    """Answers that were not what the phase is about, by status."""

    @property
    def total_cpu(self) -> float:
        """CPU µs per answer of everything measured."""
        return sum(self.cpu.values())

    @property
    def programs_cpu(self) -> float:
        """The same without the database. Redis counts: limits are part of what the edge does."""
        return self.total_cpu - self.cpu.get("postgres", 0.0)

    @property
    def generator_limits(self) -> bool:
        """Whether the load generator may have been what limited the rate."""
        return self.generator > _BUSY_CORE


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the answers of a phase took: milliseconds that so many of a hundred did not exceed."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Waits":
        """Of at least one answer."""
        return cls(*(percentile(seconds, share) * 1e3 for share in (0.5, 0.95, 0.99)))


@dataclass(frozen=True, slots=True)
class Range:
    """A median with the smallest and largest value it was taken of."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Range":
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio, or a wait, has to reach."""

    bound: float
    at_least: bool
    """False: at most."""

    def reached(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:.2f}"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two figures of the same rounds, divided round by round; or a wait of each round, in milliseconds."""

    name: str
    values: Range
    target: Target | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        return self.target.reached(self.values.median) if self.target else None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * share)) - 1]
