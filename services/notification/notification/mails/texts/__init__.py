"""The words of mails, a TOML file a language."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("en", "fr")
FALLBACK = "en"


def language_of(wish: str) -> str:
    """The language that comes nearest to a wish like "fr" or "fr-CA"."""
    language = wish.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else FALLBACK


@cache
def load(language: str) -> dict[str, Any]:
    """All texts of a language, by kind of mail."""
    return tomllib.loads(files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))
