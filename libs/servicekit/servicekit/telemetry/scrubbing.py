"""Takes out of log lines what may be a person's or a secret. It never decides whether something is logged."""

import re
import traceback
from collections.abc import Iterator

_GONE = "…"
_SECRETS = re.compile(
    r"(?<=://)[^\s/@]*(?=@)"  # user and password of a URL
    r"|\beyJ[\w-]+\.[\w.-]+"  # a JWT
    r"|\bwhsec_\S+|\b[rs]k_(?:test|live)_\w+|\b\w+_secret_\w+"  # of webhooks, and of Stripe
    r"|(?<![\w-])[\w-]{40,}(?![\w-])"  # 240 bits or more: longer than any id
)
_PEOPLE = re.compile(
    rf"[^\s\"'<>(),;:=@/{_GONE}]{{1,64}}@[^\s\"'<>(),;:=@/]{{1,255}}"  # bounded: no slow search
    r"|(?<![\w+])\+[1-9][0-9]{6,14}\b"  # E.164
)
# Both greedy: what is quoted may itself hold a quote or a parenthesis.
_QUOTED = re.compile(r"([\"']).*[\"']", re.DOTALL)
_ROW = re.compile(r"=\(.*\)", re.DOTALL)
# PostgreSQL repeats the values of a row behind this word, over as many lines as they have.
_DETAIL = "DETAIL:"


def mask(text: str) -> str:
    """Without addresses, telephone numbers and whatever has the form of a secret. Ids stay."""
    return _PEOPLE.sub(_GONE, _SECRETS.sub(_GONE, text))


def scrub(text: str) -> str:
    """As `mask`, and without anything quoted and without the values of rows: for the texts of exceptions."""
    told, _, _ = text.partition(_DETAIL)
    return mask(_ROW.sub(f"=({_GONE})", _QUOTED.sub(rf"\1{_GONE}\1", told))).rstrip()


def show_exception(error: BaseException) -> str:
    """A traceback with every frame, cause and type, but with scrubbed texts."""
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _lines(before, seen)
        yield "which led to:" if error.__cause__ else "during which came:"
    yield "Traceback (most recent call last):"
    for frame in traceback.format_tb(error.__traceback__):
        yield frame.rstrip()
    yield f"{_type(error)}: {_text(error)}"
    if isinstance(error, BaseExceptionGroup):
        for number, part in enumerate(error.exceptions, 1):
            yield f"part {number}:"
            yield from (f"  {line}" for line in _lines(part, seen))


def _type(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text(error: BaseException) -> str:
    """What the exception says, and for PostgreSQL's own what else names the place but no value."""
    names = ("sqlstate", "constraint_name", "table_name", "column_name")
    known = [f"{name}={value}" for name in names if isinstance(value := getattr(error, name, None), str)]
    notes = [scrub(note) for note in getattr(error, "__notes__", ())]
    return " ".join([scrub(str(error)), *known, *notes]).strip()
