"""Names and prose of generated code."""

from __future__ import annotations

import keyword
import re
import textwrap

_WIDTH = 100
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """CreateApiKey → create_api_key; what Python has taken gets a line behind."""
    found = _HUMP.sub("_", name).lower().replace("-", "_").replace(".", "_")
    return f"{found}_" if keyword.iskeyword(found) else found


def printable(text: str) -> str:
    """The lines of a text without what no source can hold; never empty."""
    lines = ("".join(each if each.isprintable() else " " for each in line) for line in text.split("\n"))
    return "\n".join(line.rstrip() for line in lines).strip() or "Not described."


def paragraphs(text: str, indent: str = "") -> str:
    """Wrapped, each line after the first behind `indent`; what was indented goes on deeper."""
    lines = [line for each in text.splitlines() for line in _wrapped(each, _WIDTH - len(indent))]
    return "\n".join(f"{indent}{line}".rstrip() for line in lines).removeprefix(indent)


def _wrapped(line: str, width: int) -> list[str]:
    deeper = " " * (len(line) - len(line.lstrip()) + 4) if line.startswith(" ") else ""
    return textwrap.wrap(line, width, subsequent_indent=deeper, break_long_words=False) or [""]
