"""What a change made of a booking, for its history."""

from collections.abc import Mapping
from typing import Any

from booking.domain.bookings.promises import Booking


def differences(before: Booking, after: Booking) -> Mapping[str, Any]:
    """Field to [before, after], in words of JSON; only what is not the same."""
    then, now = _facets(before), _facets(after)
    return {name: [then[name], now[name]] for name in now if then[name] != now[name]}


def _facets(booking: Booking) -> dict[str, Any]:
    return {
        "status": booking.status.value,
        "start": booking.start.isoformat(),
        "party_size": booking.party_size,
        "resource_ids": sorted(map(str, booking.resource_ids)),
        "pinned": booking.pinned,
        "late_minutes": booking.visit.late_minutes,
    }
