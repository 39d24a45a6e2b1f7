"""`make check`: runs every check, prints what is wrong, and ends with 1 if anything is."""

import sys
import time

from tools.checks import asvs, commands, compose, dashboards, drift, links, rules, spine, texts

CHECKS = {
    "ruff": commands.ruff,
    "mypy": commands.mypy,
    "imports": commands.import_linter,
    "buf": commands.buf,
    "generated files": drift.check,
    "rules": rules.check,
    "spine": spine.check,
    "texts": texts.check,
    "links": links.check,
    "asvs": asvs.check,
    "compose": compose.check,
    "dashboards": dashboards.check,
    "secrets": commands.secrets,
    "dockerfile": commands.hadolint,
}


def main() -> int:
    """The number of checks that failed."""
    failed = 0
    for name, check in CHECKS.items():
        started = time.monotonic()
        problems = list(check())
        failed += bool(problems)
        print(f"{'FAILED' if problems else 'ok    '} {name} ({time.monotonic() - started:.1f} s)", flush=True)
        for problem in problems:
            print(f"    {problem}")
    print(f"{failed} of {len(CHECKS)} checks failed" if failed else f"all {len(CHECKS)} checks hold")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
