"""The tables of booking. What must never happen is a constraint; each index says which query needs it."""

from booking.tables.bookings import (
    ALLOCATIONS,
    BLOCKS,
    BOOKING_CHANGES,
    BOOKINGS,
    GUESTS,
    MANAGE_TOKENS,
    SERVICE_DAYS,
)
from booking.tables.hours import CLOSURES, DATE_EXCEPTIONS, SHIFTS
from booking.tables.schema import METADATA
from booking.tables.series import SERIES, SERIES_SKIPS
from booking.tables.venues import (
    AREAS,
    COMBINATION_MEMBERS,
    COMBINATIONS,
    OFFERINGS,
    PACING_RULES,
    RESOURCES,
    THEMES,
    VENUES,
)
from booking.tables.waitlist import WAITLIST_ENTRIES, WAITLIST_OFFERS, WAITLIST_TOKENS

__all__ = [
    "ALLOCATIONS",
    "AREAS",
    "BLOCKS",
    "BOOKINGS",
    "BOOKING_CHANGES",
    "CLOSURES",
    "COMBINATIONS",
    "COMBINATION_MEMBERS",
    "DATE_EXCEPTIONS",
    "GUESTS",
    "MANAGE_TOKENS",
    "METADATA",
    "OFFERINGS",
    "PACING_RULES",
    "RESOURCES",
    "SERIES",
    "SERIES_SKIPS",
    "SERVICE_DAYS",
    "SHIFTS",
    "TENANT_TABLES",
    "THEMES",
    "VENUES",
    "WAITLIST_ENTRIES",
    "WAITLIST_OFFERS",
    "WAITLIST_TOKENS",
]

TENANT_TABLES = (
    "venues",
    "areas",
    "resources",
    "combinations",
    "combination_members",
    "offerings",
    "shifts",
    "pacing_rules",
    "date_exceptions",
    "closures",
    "service_days",
    "guests",
    "series",
    "series_skips",
    "bookings",
    "blocks",
    "allocations",
    "manage_tokens",
    "booking_changes",
    "waitlist_entries",
    "waitlist_offers",
    "waitlist_tokens",
    "themes",
)
