"""What requests say, as the domain says it. A malformed id is one that does not exist."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.venues import (
    VenueNotFound,
    VenueRef,
)
from servicekit import ids, paging
from servicekit.errors import InvalidPageToken, InvalidRequest, Violation
from servicekit.paging import Page

T = TypeVar("T")


def venue_ref(text: str) -> VenueRef:
    """A venue by id or slug. Raises VenueNotFound for what is neither."""
    with suppress(VenueNotFound):
        return VenueRef(ids.parse("ven", text, VenueNotFound))
    return VenueRef.by_slug(text)


def calendar_day(text: str) -> date:
    """A service day. Raises InvalidRequest for one that the calendar does not have."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        message = f"must be a day of the calendar from {FIRST_DAY.year} to {LAST_DAY.year}"
        raise InvalidRequest(violations=[Violation("/date", message)])
    return day


def page_by_name(size: int, token: str) -> Page:
    """A page of a list sorted by name and id. Raises InvalidPageToken."""
    page = paging.page(size, token, keys=2)
    _check(page, _storable_text, UUID)
    return page


def page_by_start(size: int, token: str, *filters: str) -> Page:
    """A page of a list sorted by start and id. Raises InvalidPageToken."""
    page = paging.page(size, token, *filters, keys=2)
    _check(page, _aware_moment, UUID)
    return page


def _check(page: Page, *readers: Callable[[str], object]) -> None:
    try:
        for reader, key in zip(readers, page.after or (), strict=False):
            reader(key)
    except ValueError as error:
        raise InvalidPageToken from error


def _storable_text(text: str) -> str:
    if "\x00" in text:
        raise ValueError
    text.encode()
    return text


def _aware_moment(text: str) -> datetime:
    return paging.moment(text)
