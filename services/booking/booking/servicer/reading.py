"""What requests say, as the domain says it. A malformed id is one that does not exist."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from booking.domain import texts
from booking.domain.bookings import (
    BookingNotFound,
    Guest,
    Preferences,
    Reason,
    Wants,
)
from booking.domain.calendar import FIRST_DAY, LAST_DAY, LocalTimeMissing, Start
from booking.domain.clock import Lead
from booking.domain.overrides import Override
from booking.domain.venues import (
    ResourceNotFound,
    VenueNotFound,
    VenueRef,
)
from booking.events.messages import RULES
from comptoir.booking.v1 import booking_pb2
from servicekit import ids, paging
from servicekit.errors import InvalidPageToken, InvalidRequest, Violation
from servicekit.money import Money
from servicekit.paging import Page

T = TypeVar("T")
_RULES = {number: rule for rule, number in RULES.items()}


def venue_ref(text: str) -> VenueRef:
    """A venue by id or slug. Raises VenueNotFound for what is neither."""
    with suppress(VenueNotFound):
        return VenueRef(ids.parse("ven", text, VenueNotFound))
    return VenueRef.by_slug(text)


def calendar_day(text: str, pointer: str = "/date") -> date:
    """A service day. Raises InvalidRequest for one that the calendar does not have."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        message = f"must be a day of the calendar from {FIRST_DAY.year} to {LAST_DAY.year}"
        raise InvalidRequest(violations=[Violation(pointer, message)])
    return day


def starts_elsewhere(request: Any) -> bool:
    """Whether a request names a start at all."""
    return bool(request.HasField("start") or request.local_start)


def start_of(request: Any) -> Start:
    """The start of a request: an instant in epoch seconds, or what the venue's clocks show.

    Raises:
        Inconsistent: it has neither or both.
        LocalTimeMissing: a local time of a day that no calendar has.
    """
    if request.HasField("start") == bool(request.local_start):
        texts.refuse("/start", "must be given, or local_start in its place, and not both")
    if not request.local_start:
        return int(request.start.epoch_seconds)
    try:
        return datetime.fromisoformat(request.local_start)
    except ValueError:
        raise LocalTimeMissing from None


def lead(request: Any, name: str) -> Lead | None:
    """A local time on a day before the service date; None when the request does not have it."""
    if not request.HasField(name):
        return None
    told = getattr(request, name)
    return Lead.of(told.days_before, told.time)


def booking_id(text: str) -> UUID:
    """A booking by its id. Raises BookingNotFound for what is none."""
    return ids.parse("bkg", text, BookingNotFound)


def resource_ids(named: Iterable[str]) -> tuple[UUID, ...]:
    """Resources by their ids. Raises ResourceNotFound for what is none."""
    return tuple(ids.parse("res", text, ResourceNotFound) for text in named)


def override(request: Any) -> Override | None:
    """The rules that a request sets aside. Raises InvalidRequest for a blank reason."""
    if not request.HasField("override"):
        return None
    return Override.of((_RULES[each] for each in request.override.rules), request.override.reason)


def reason(request: Any) -> Reason:
    """Why somebody calls off. Raises InvalidRequest for control characters."""
    return Reason.of(request.reason_code, request.reason)


def accepted_fee(request: Any) -> Money | None:
    """What a guest accepts to lose; None when the request does not say."""
    if not request.HasField("accepted_fee"):
        return None
    return Money(request.accepted_fee.amount, request.accepted_fee.currency)


def guest(told: booking_pb2.Guest) -> Guest:
    """The guest of a request. Raises InvalidRequest for a blank name and control characters."""
    return Guest.meet(
        ids.new(),
        name=told.name,
        email=told.email,
        phone=told.phone,
        language=told.language,
        preferences=Preferences(
            dietary=Wants.of("/guest/dietary", told.dietary.words, told.dietary.note),
            accessibility=Wants.of("/guest/accessibility", told.accessibility.words, told.accessibility.note),
            occasion=texts.one_line("/guest/occasion", told.occasion),
            marketing_consent=told.marketing_consent,
        ),
    )


def page(request: Any, name: str, *filters: str, keys: int) -> Page:
    """The page of a list that a request asks for; its token is for that list with these filters alone.

    Raises:
        InvalidPageToken: it is for another one.
    """
    return paging.page(request.page_size, request.page_token, name, *filters, keys=keys)


def page_by_id(size: int, token: str, *filters: str) -> Page:
    """A page of a list sorted by id. Raises InvalidPageToken."""
    found = paging.page(size, token, *filters, keys=1)
    try:
        UUID(found.after[0] if found.after else str(ids.new()))
    except ValueError as error:
        raise InvalidPageToken from error
    return found
