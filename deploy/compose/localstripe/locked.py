"""Prints the entries of requirements.lock that localstripe needs. Runs in the image build."""  # noqa: INP001

from pathlib import Path

from member import parse

_WANTED = "localstripe"


def locked(lock: str) -> str:
    """Its own entry and those of everything that it stands on."""
    entries, needed_by = parse(lock)
    found = {_WANTED}
    while more := {name for name, users in needed_by.items() if users & found} - found:
        found |= more
    return "\n".join(entries[name] for name in sorted(found)) + "\n"


if __name__ == "__main__":
    print(locked(Path("requirements.lock").read_text()), end="")  # noqa: T201
