"""`make bench`: starts a platform of its own, measures it in interleaved rounds, prints ratios, ends it."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.console import Console

from devstack.commands import ProcessFailed
from tools.bench import converter
from tools.bench.figures import Sample
from tools.bench.phases import CONNECTIONS, Phases
from tools.bench.report import Machine, Report, show
from tools.bench.stage import Stage
from tools.bench.targets import ratios

_ROUNDS, _SECONDS = 4, 4.0
_WARM_UP_SECONDS = 1.5
_WIDTH = 130


def main() -> int:
    """0 when every answer was the expected one, whatever the ratios are."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there too")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of a phase in a round; %(default)s")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only phases whose name begins so")
    chosen = parser.parse_args()
    console, progress = Console(highlight=False), Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    stage = Stage(Path(tempfile.mkdtemp(prefix="comptoir-bench-")))
    try:
        stage.start(lambda step: progress.print(f"  {step}"))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(_measure(stage, progress, chosen))
    except ProcessFailed as failed:
        console.print(f"[red]{failed}[/red]")
        return 1
    finally:
        stage.close()
    show(report, console)
    if chosen.json:
        chosen.json.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    return 1 if report.wrong else 0


async def _measure(stage: Stage, progress: Console, chosen: argparse.Namespace) -> Report:
    phases = Phases(stage)
    await phases.fill_day()
    todo = [each for each in phases.all() if not chosen.only or each.name.startswith(tuple(chosen.only))]
    for phase in todo:
        await phase.measure(_WARM_UP_SECONDS)
    phases.analyze()
    samples: dict[str, list[Sample]] = {phase.name: [] for phase in todo}
    for number in range(1, chosen.rounds + 1):
        for phase in todo if number % 2 else reversed(todo):
            sample = await phase.measure(chosen.seconds)
            samples[phase.name].append(sample)
            progress.print(f"  round {number}: {phase.name}: {sample.rate:.0f}/s, {sample.total_cpu:.0f} µs")
    await phases.close()
    return Report(
        machine=Machine.here(),
        connections=CONNECTIONS,
        seconds=chosen.seconds,
        samples=samples,
        ratios=ratios(samples),
        relay=await phases.relay_cost(),
        converter=converter.measure(),
    )


if __name__ == "__main__":
    sys.exit(main())
