"""`python -m tools.bench.seating`: covers by way of choosing on random floors, and the engine's speed."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from tools.bench.figures import Range
from tools.bench.report import Machine
from tools.bench.seating import speed
from tools.bench.seating.evenings import evening
from tools.bench.seating.policies import House, Policy, play

_PLANS, _ROUNDS = 200, 40


def main() -> int:
    """Prints what was found; 0 whatever it is."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.seating", description=__doc__)
    parser.add_argument("--plans", type=int, default=_PLANS, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of the engine; default %(default)s")
    chosen = parser.parse_args()
    machine = Machine.here()
    print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}, commit {machine.commit}")
    began = time.process_time()
    _print_covers(compare(chosen.plans))
    print(f"({time.process_time() - began:.0f} s of CPU)\n")
    for crowded, what in ((False, "200 bookings over the day"), (True, "200 bookings in one evening")):
        _print_speed(what, speed.measure(speed.full_house(crowded=crowded), rounds=chosen.rounds))
    return 0


def compare(plans: int) -> Mapping[Policy, Sequence[House]]:
    """The houses of each policy after the same evenings."""
    evenings = [evening(seed) for seed in range(plans)]
    return {policy: [play(each, policy) for each in evenings] for policy in Policy}


def _print_covers(houses: Mapping[Policy, Sequence[House]]) -> None:
    first = houses[Policy.FIRST_FIT]
    print(f"\n{len(first)} random floor plans, the same requests in the same order:")
    print(f"{'':<24}{'covers':>8}{'of first-fit':>14}{'median plan':>13}{'least - most':>15}{'moves':>8}")
    for policy, played in houses.items():
        ratios = Range.of([one.covers / other.covers for one, other in zip(played, first, strict=True)])
        covers, before = (sum(each.covers for each in some) for some in (played, first))
        spread = f"{ratios.least:.2f} - {ratios.most:.2f}"
        print(
            f"{policy:<24}{covers:>8}{covers / before:>14.3f}{ratios.median:>13.3f}{spread:>15}"
            f"{sum(each.moved for each in played):>8}"
        )


def _print_speed(what: str, times: dict[int, speed.Speed]) -> None:
    print(f"A search of 60 tables and 96 starts, {what}, milliseconds of CPU:")
    print(f"{'party of':<12}{'p50':>8}{'p95':>8}{'most':>8}")
    for size, each in times.items():
        print(f"{size:<12}{each.p50:>8.2f}{each.p95:>8.2f}{each.most:>8.2f}")
    worst = speed.overall(times)
    verdict = "reached" if worst.p95 <= speed.TARGET_MS else "missed"
    print(f"{'slowest':<12}{worst.p50:>8.2f}{worst.p95:>8.2f}{worst.most:>8.2f}", end="")
    print(f"   p95 ≤ {speed.TARGET_MS:g} ms: {verdict}\n")


if __name__ == "__main__":
    sys.exit(main())
