"""What must not stand in any tracked file, like machine paths and open ends; in the guide, made-up ids."""

import re
from collections.abc import Iterator

from tools.checks.sources import GENERATED, ROOT, tracked

# Written so that this file does not find itself.
_BANNED = {
    "a machine's path": re.compile(r"(?<![\w./-])/(?:ro[o]t|wor[k]|hom[e])/\w"),
    "a package registry": re.compile(
        r"py[p]i\.org|python[h]osted|registry\.np[m]js|deb\.de[b]ian\.org|crate[s]\.io"
    ),
    "an open end": re.compile(r"\b(?:TO[D]O|FIX[M]E)\b|NotImplemented[E]rror"),
}
_GUIDE = ROOT / "docs" / "api.md"
# A word of which a digit makes an id; what is shortened ends with "…".
_LIKE_AN_ID = re.compile(r"(?<![A-Za-z0-9_])[a-z]{3}_((?=[a-zA-Z]*[0-9])[A-Za-z0-9]+)(?![A-Za-z0-9_…])")
_OF_A_RUN = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".json",
    ".proto",
    ".sql",
    ".html",
    ".txt",
    ".lock",
    ".sh",
    ".cfg",
    "",
}


def check() -> Iterator[str]:
    """Each place that holds one."""
    for path in tracked():
        if path.suffix not in _TEXT or str(path.relative_to(ROOT)).startswith(GENERATED):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            for what, pattern in _BANNED.items():
                if pattern.search(line):
                    yield f"{path.relative_to(ROOT)}:{number}: {what}"
    for number, found in stand_ins(_GUIDE.read_text(encoding="utf-8")):
        yield f"{_GUIDE.relative_to(ROOT)}:{number}: {found} is no id of a run; shorten one by …"


def stand_ins(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each typed id that the platform never makes: not 26 digits (`servicekit.ids`)."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in _LIKE_AN_ID.finditer(line):
            if not _OF_A_RUN.fullmatch(found[1]):
                yield number, found[0]
