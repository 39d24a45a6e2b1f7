"""What a run found: for people as tables, for programs as JSON. Rounds nothing away in the JSON."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.figures import Range, Ratio, Sample

_CPUINFO = Path("/proc/cpuinfo")
_PROCESSES = ("gateway", "service", "postgres", "redis")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran."""

    cpu: str
    cores: int
    python: str
    commit: str

    @classmethod
    def here(cls) -> "Machine":
        """This machine and this checkout."""
        lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        commit, changes = _git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "-uno")
        return cls(
            cpu=models[0] if models else platform.processor() or platform.machine(),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            python=platform.python_version(),
            commit=f"{commit or 'unknown'}{' with changes' if changes else ''}",
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run found."""

    machine: Machine
    connections: int
    seconds: float
    """Of one phase in one round."""
    samples: Mapping[str, Sequence[Sample]]
    """Phase → one sample a round."""
    ratios: Sequence[Ratio]
    relay: tuple[int, Mapping[str, float]]
    converter: Mapping[str, tuple[float, float]]
    """Conversion → µs of json_format and of ours."""

    @property
    def wrong(self) -> dict[str, list[Mapping[str, int]]]:
        """Phases that got other answers than they are about: their figures mean nothing."""
        found = {
            name: [each.wrong for each in samples if each.wrong] for name, samples in self.samples.items()
        }
        return {name: answers for name, answers in found.items() if answers}

    def as_json(self) -> dict[str, Any]:
        """All samples, and the ratios."""
        relayed, relay_cpu = self.relay
        return {
            "machine": asdict(self.machine),
            "connections": self.connections,
            "seconds": self.seconds,
            "phases": {name: [asdict(each) for each in samples] for name, samples in self.samples.items()},
            "ratios": [asdict(each) | {"reached": each.reached} for each in self.ratios],
            "relay": {"events": relayed, "cpu_us_per_event": dict(relay_cpu)},
            "converter_us": {what: list(pair) for what, pair in self.converter.items()},
        }


def show(report: Report, console: Console) -> None:
    """Prints the tables."""
    machine = report.machine
    console.print(
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}, commit {machine.commit}. "
        f"{report.connections} connections, {len(next(iter(report.samples.values())))} interleaved rounds "
        f"of {report.seconds:g} s; medians, least and most in brackets."
    )
    console.print(_phases(report.samples))
    console.print(_ratios(report.ratios))
    count, cpu = report.relay
    parts = ", ".join(f"{name} {value:.0f}" for name, value in cpu.items())
    console.print(f"The relay afterwards published {count} events; CPU µs of each: {parts}.")
    console.print(_converter(report.converter))
    busiest = max(each.generator for samples in report.samples.values() for each in samples)
    console.print(f"The load generator used at most {busiest:.0%} of a core.")
    for name, samples in report.samples.items():
        if any(each.generator_limits for each in samples):
            console.print(f"[yellow]{name}: the load generator may have been the limit.[/yellow]")
    for name, answers in report.wrong.items():
        console.print(f"[red]{name}: other answers than expected, do not use its figures: {answers}[/red]")


def _phases(samples: Mapping[str, Sequence[Sample]]) -> Table:
    table = Table(title="What a request costs: milliseconds to wait, µs of CPU by process")
    table.add_column("phase", no_wrap=True)
    for column in ("per second", "p50", "p95", "p99", *_PROCESSES, "sum", "client"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, rounds in samples.items():
        row = [
            _spread(Range.of([each.rate for each in rounds])),
            *(_wait(rounds, part) for part in ("p50", "p95", "p99")),
        ]
        for process in _PROCESSES:
            known = [each.cpu[process] for each in rounds if process in each.cpu]
            row.append(f"{Range.of(known).median:.0f}" if known else "")
        row.append(f"{Range.of([each.total_cpu for each in rounds]).median:.0f}")
        row.append(f"{Range.of([each.generator_cpu for each in rounds]).median:.0f}")
        table.add_row(name, *row)
    return table


def _ratios(ratios: Sequence[Ratio]) -> Table:
    table = Table(title="Ratios taken round by round, and waits in ms")
    table.add_column("ratio", no_wrap=True)
    for column in ("median", "least - most", "target", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for each in ratios:
        verdict = {None: "", True: "[green]reached[/green]", False: "[red]missed[/red]"}[each.reached]
        values = each.values
        table.add_row(
            each.name,
            f"{values.median:.2f}",
            f"{values.least:.2f} - {values.most:.2f}",
            str(each.target or ""),
            verdict,
        )
    return table


def _converter(measured: Mapping[str, tuple[float, float]]) -> Table:
    table = Table("conversion", title="JSON and protobuf")
    for column in ("json_format µs", "ours µs", "times as fast"):
        table.add_column(column, justify="right")
    for what, (slow, fast) in measured.items():
        table.add_row(what, f"{slow:.0f}", f"{fast:.0f}", f"{slow / fast:.1f}")
    return table


def _spread(values: Range) -> str:
    return f"{values.median:.0f} ({values.least:.0f}-{values.most:.0f})"


def _wait(rounds: Sequence[Sample], part: str) -> str:
    return f"{Range.of([getattr(each.waits, part) for each in rounds]).median:.1f}"


def _git(*arguments: str) -> str:
    try:
        outcome = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return outcome.stdout.strip()
