"""What must not stand in any tracked file: machine paths, package registries, open ends."""

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
