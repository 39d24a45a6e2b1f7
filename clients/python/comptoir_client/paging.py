"""Walks lists page by page."""

from collections.abc import Callable, Iterator
from typing import Generic, TypedDict, TypeVar

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """What every answer of a list has."""

    items: list[T]
    next_page_token: str


def every(page: Callable[[str], Page[T]]) -> Iterator[T]:
    """Each item of a list, asking for the next page when it is needed.

    What was there all the time comes exactly once, whatever is added or removed meanwhile.

    Args:
        page: the call for the page of a token, which is empty for the first one.
    """
    token = ""
    while True:
        found = page(token)
        yield from found["items"]
        token = found["next_page_token"]
        if not token:
            return
