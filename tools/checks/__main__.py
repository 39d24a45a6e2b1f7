"""`make check`: runs every check, prints what is wrong, and ends with 1 if anything is."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

from tools.checks import asvs, commands, compose, dashboards, drift, links, rules, spine, texts

CHECKS: dict[str, Callable[[], Iterable[str]]] = {
    "secrets": commands.secrets,  # the slowest first
    "mypy": commands.mypy,
    "generated files": drift.check,
    "rules": rules.check,
    "ruff": commands.ruff,
    "imports": commands.import_linter,
    "buf": commands.buf,
    "spine": spine.check,
    "texts": texts.check,
    "links": links.check,
    "asvs": asvs.check,
    "compose": compose.check,
    "dashboards": dashboards.check,
    "dockerfile": commands.hadolint,
}


def main() -> int:
    """The number of checks that failed."""
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # most of them wait for a program
        for done in as_completed([pool.submit(_run, name) for name in CHECKS]):
            name, problems, seconds = done.result()
            failed += bool(problems)
            print(f"{'FAILED' if problems else 'ok    '} {name} ({seconds:.1f} s)", flush=True)
            for problem in problems:
                print(f"    {problem}")
    print(f"{failed} of {len(CHECKS)} checks failed" if failed else f"all {len(CHECKS)} checks hold")
    return failed


def _run(name: str) -> tuple[str, list[str], float]:
    started = time.monotonic()
    problems = list(CHECKS[name]())
    return name, problems, time.monotonic() - started


if __name__ == "__main__":
    sys.exit(min(main(), 1))
