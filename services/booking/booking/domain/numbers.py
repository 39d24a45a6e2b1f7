"""People who share a telephone number, told apart by the names that they book by. Never does I/O."""

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from typing import TypeVar

_MOST = 100
Id = TypeVar("Id")


def of_name(guests: Mapping[Id, str], name: str) -> list[Id]:
    """Of the guests of one number, with their names, those who are called so, however that is written.

    Those without a name are among them if nobody with another name has the number: else they may be theirs.
    """
    wanted = _compared(name)
    called = {each: _compared(written) for each, written in guests.items()}
    shared = bool(set(called.values()) - {wanted, ""})
    return [each for each, found in called.items() if found == wanted or (not found and not shared)]


def names_of(bookings: Mapping[str, int]) -> list[tuple[str, int]]:
    """The bookings by each name as it is written, summed by name: each as it is written most often.

    Those with the most bookings first; a hundred at most.
    """
    spellings: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for written, count in bookings.items():
        spellings[_compared(written)].append((written, count))
    summed = [
        (max(each, key=lambda one: (one[1], one[0]))[0], sum(count for _, count in each))
        for each in spellings.values()
    ]
    return sorted(summed, key=lambda one: (-one[1], one[0]))[:_MOST]


def _compared(name: str) -> str:
    """Case, spacing and ways to write one character say nothing; an accent does."""
    return unicodedata.normalize("NFKC", " ".join(unicodedata.normalize("NFKC", name).casefold().split()))
