"""Every relative link of a Markdown file leads to a file that is there, and to a heading of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tools.checks.sources import ROOT, tracked

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_FOREIGN = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def check(root: Path = ROOT) -> Iterator[str]:
    """Each link that leads nowhere."""
    for path in tracked(root):
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            yield from (f"{path.relative_to(root)}: {problem}" for problem in broken(text, path, root))


def broken(text: str, path: Path, root: Path) -> Iterator[str]:
    """The links of one file that lead nowhere."""
    for target in _LINK.findall(_CODE.sub("", _FENCE.sub("", text))):
        if _FOREIGN.match(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        found = (root / name.lstrip("/") if name.startswith("/") else path.parent / name) if name else path
        if not found.exists():
            yield f"{target} does not exist"
        elif anchor and found.suffix == ".md" and anchor not in anchors(found.read_text(encoding="utf-8")):
            yield f"{target} has no such heading"


def anchors(text: str) -> set[str]:
    """The anchors that a forge gives the headings of a Markdown text."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = 0
        while (unique := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(unique)
    return found
