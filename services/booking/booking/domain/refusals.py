"""Why a start cannot be booked: the reasons that a search shows, and the errors that bookings meet."""

from collections.abc import Mapping
from enum import StrEnum

from servicekit.errors import AppError, Kind


class Refusal(StrEnum):
    """Why a start cannot be booked, in the order in which they are told."""

    CLOSED = "closed"
    MUST_FINISH = "must_finish"
    NOTICE = "notice"
    NOT_RELEASED = "not_released"
    TOO_FAR_AHEAD = "too_far_ahead"
    NO_TABLE_FOR_PARTY = "no_table_for_party"
    NO_TABLE_AS_ASKED = "no_table_as_asked"
    """Parties of this size are taken, but not where, or with what, this one asks for."""
    PARTY_BEYOND_PACE = "party_beyond_pace"
    """A pacing rule keeps such a party out even where nobody else begins."""
    PACING = "pacing"
    FULLY_BOOKED = "fully_booked"
    """Nothing is free, and it is proved that nobody who may move lets the party in."""
    OCCUPIED = "occupied"
    """Nothing is free, and no way to move others was found; there may be one that moves several."""


class SlotClosed(AppError):
    """The start is none that the offering has: it is closed then, or the start lies between two starts."""

    kind = Kind.REFUSED
    reason = "SLOT_CLOSED"
    detail = "The offering has no start at this time."


class SlotEndsTooLate(AppError):
    """The stay would last beyond the closing, by which parties of this shift have to be gone."""

    kind = Kind.REFUSED
    reason = "SLOT_ENDS_TOO_LATE"
    detail = "From this start, the visit would not be over by closing time."


class SlotTooSoon(AppError):
    """The start is over, or nearer than the offering's minimum notice."""

    kind = Kind.REFUSED
    reason = "SLOT_TOO_SOON"
    detail = "This start is over, or too soon."


class SlotNotReleased(AppError):
    """The starts of this service day go on sale later."""

    kind = Kind.REFUSED
    reason = "SLOT_NOT_RELEASED"
    detail = "This start is not on sale yet."


class SlotTooFarAhead(AppError):
    """The start is farther ahead than the offering may be booked."""

    kind = Kind.REFUSED
    reason = "SLOT_TOO_FAR_AHEAD"
    detail = "This start is too far ahead."


class NoTableForParty(AppError):
    """No resource and no combination of the venue takes a party of this size, or the offering does not."""

    kind = Kind.REFUSED
    reason = "NO_TABLE_FOR_PARTY"
    detail = "Nothing that can be booked here takes a party of this size."


class NoTableAsAsked(AppError):
    """Parties of this size are taken, but by nothing in the area, or with the attributes, asked for."""

    kind = Kind.REFUSED
    reason = "NO_TABLE_AS_ASKED"
    detail = "Nothing here that takes a party of this size is as asked for."


class PartyBeyondPace(AppError):
    """A pacing rule of the venue never lets in such a party, however few others begin."""

    kind = Kind.REFUSED
    reason = "PARTY_BEYOND_PACE"
    detail = "The venue never lets so many people begin at once in this way. Ask the venue."


class SlotPaced(AppError):
    """As many people or parties as the venue lets in at once begin around this start already."""

    kind = Kind.CONFLICT
    reason = "SLOT_PACED"
    detail = (
        "Too many others begin around this time. The venue's availability/alternatives name what is near."
    )


class SlotTaken(AppError):
    """Everything that would take the party is occupied at this start."""

    kind = Kind.CONFLICT
    reason = "SLOT_TAKEN"
    detail = "This start is taken. The venue's availability/alternatives name what is near."


REFUSED_AS: Mapping[Refusal, type[AppError]] = {
    Refusal.CLOSED: SlotClosed,
    Refusal.MUST_FINISH: SlotEndsTooLate,
    Refusal.NOTICE: SlotTooSoon,
    Refusal.NOT_RELEASED: SlotNotReleased,
    Refusal.TOO_FAR_AHEAD: SlotTooFarAhead,
    Refusal.NO_TABLE_FOR_PARTY: NoTableForParty,
    Refusal.NO_TABLE_AS_ASKED: NoTableAsAsked,
    Refusal.PARTY_BEYOND_PACE: PartyBeyondPace,
    Refusal.PACING: SlotPaced,
    Refusal.FULLY_BOOKED: SlotTaken,
    Refusal.OCCUPIED: SlotTaken,
}
