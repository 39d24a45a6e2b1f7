"""AvailabilityService and AvailabilityLookupService: messages to use cases and back."""

from functools import lru_cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import grpc

from booking.app import App
from booking.domain.availability import Found, Slot
from booking.domain.lookups import Verdict
from booking.domain.offerings import OfferingNotFound
from booking.domain.overviews import Overview
from booking.domain.refusals import Refusal
from booking.events.messages import moment, money
from booking.servicer.capacity import area_id
from booking.servicer.reading import calendar_day, venue_ref
from booking.usecases import alternatives, availability, lookups, overviews
from booking.usecases.alternatives import Elsewhere
from booking.usecases.lookups import Question
from comptoir.booking.v1 import availability_pb2 as pb
from comptoir.booking.v1 import availability_pb2_grpc, booking_pb2, booking_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_MOST_SHOWN = 64
_REASONS = {
    None: booking_pb2.REFUSAL_REASON_UNSPECIFIED,
    Refusal.CLOSED: booking_pb2.REFUSAL_REASON_CLOSED,
    Refusal.NOTICE: booking_pb2.REFUSAL_REASON_NOTICE,
    Refusal.TOO_FAR_AHEAD: booking_pb2.REFUSAL_REASON_TOO_FAR_AHEAD,
    Refusal.MUST_FINISH: booking_pb2.REFUSAL_REASON_MUST_FINISH,
    Refusal.NOT_RELEASED: booking_pb2.REFUSAL_REASON_NOT_RELEASED,
    Refusal.PACING: booking_pb2.REFUSAL_REASON_PACING,
    Refusal.NO_TABLE_FOR_PARTY: booking_pb2.REFUSAL_REASON_NO_TABLE_FOR_PARTY,
    Refusal.NO_TABLE_AS_ASKED: booking_pb2.REFUSAL_REASON_NO_TABLE_AS_ASKED,
    Refusal.PARTY_BEYOND_PACE: booking_pb2.REFUSAL_REASON_PARTY_BEYOND_PACE,
    Refusal.FULLY_BOOKED: booking_pb2.REFUSAL_REASON_FULLY_BOOKED,
    Refusal.OCCUPIED: booking_pb2.REFUSAL_REASON_OCCUPIED,
}


class AvailabilityServicer(booking_pb2_grpc.AvailabilityServiceServicer):
    """Finding a time."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def SearchAvailability(
        self, request: booking_pb2.SearchAvailabilityRequest, _context: _Context
    ) -> booking_pb2.SearchAvailabilityResponse:
        """The starts of a service day."""
        offering_id = request.offering_id
        found = await availability.search_availability(
            self._app,
            venue_ref(request.venue_id),
            calendar_day(request.date),
            party_size=request.party_size,
            offering_id=ids.parse("off", offering_id, OfferingNotFound) if offering_id else None,
            area_id=area_id(request.area_id),
            attributes=request.attributes,
            caller=identity.caller(),
        )
        return _found(request.date, found)


class AvailabilityLookupServicer(availability_pb2_grpc.AvailabilityLookupServiceServicer):
    """Asking about many starts at once."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetAvailabilityCalendar(
        self, request: pb.GetAvailabilityCalendarRequest, _context: _Context
    ) -> pb.GetAvailabilityCalendarResponse:
        """Many service days, counted."""
        offering_id = request.offering_id
        days = await overviews.get_calendar(
            self._app,
            venue_ref(request.venue_id),
            calendar_day(getattr(request, "from"), "/from"),  # a keyword of Python
            calendar_day(request.to, "/to"),
            party_size=request.party_size,
            offering_id=ids.parse("off", offering_id, OfferingNotFound) if offering_id else None,
            area_id=area_id(request.area_id),
            attributes=request.attributes,
            caller=identity.caller(),
        )
        return pb.GetAvailabilityCalendarResponse(time_zone=days[0].zone.key, days=map(_day, days))

    async def BatchLookupAvailability(
        self, request: pb.BatchLookupAvailabilityRequest, _context: _Context
    ) -> pb.BatchLookupAvailabilityResponse:
        """What becomes of many starts."""
        verdicts = await lookups.look_up(
            self._app,
            venue_ref(request.venue_id),
            [_question(each) for each in request.items],
            caller=identity.caller(),
        )
        return pb.BatchLookupAvailabilityResponse(
            time_zone=verdicts[0].zone.key, items=map(_verdict, verdicts)
        )

    async def ListAvailabilityAlternatives(
        self, request: pb.ListAvailabilityAlternativesRequest, _context: _Context
    ) -> pb.ListAvailabilityAlternativesResponse:
        """What is near a wish."""
        found = await alternatives.find_alternatives(
            self._app,
            venue_ref(request.venue_id),
            _question(request),
            tolerance_minutes=request.tolerance_minutes if request.HasField("tolerance_minutes") else None,
            caller=identity.caller(),
        )
        zone = found.wish.zone
        return pb.ListAvailabilityAlternativesResponse(
            time_zone=zone.key,
            bookable=found.wish.refusal is None,
            reason=_REASONS[found.wish.refusal],
            times=[_slot(zone, each) for each in found.times],
            dates=[_slot(zone, each) for each in found.dates],
            venues=map(_elsewhere, found.elsewhere),
        )


@lru_cache(maxsize=_MOST_SHOWN)
def _found(day: str, found: Found) -> booking_pb2.SearchAvailabilityResponse:
    """Made once for an answer that is kept; nobody changes it."""
    return booking_pb2.SearchAvailabilityResponse(
        date=day,
        time_zone=found.zone.key,
        slots=[_slot(found.zone, slot) for slot in found.slots],
        closed_reason=_REASONS[None if found.slots else Refusal.CLOSED],
        notes=found.notes,
    )


def _slot(zone: ZoneInfo, slot: Slot) -> booking_pb2.Slot:
    return booking_pb2.Slot(
        start=moment(zone, slot.start),
        end=moment(zone, slot.end),
        offering_id=ids.show("off", slot.offering.id),
        bookable=slot.refusal is None,
        reason=_REASONS[slot.refusal],
        deposit=money(slot.deposit),
        asks_first=slot.asks_first,
    )


def _day(overview: Overview) -> pb.AvailabilityDay:
    first = overview.first_start
    return pb.AvailabilityDay(
        date=overview.service_date.isoformat(),
        open=overview.open,
        bookable_starts=overview.bookable,
        first_start=moment(overview.zone, first) if first is not None else None,
        reason=_REASONS[overview.refusal],
        notes=overview.notes,
    )


def _question(request: pb.WantedStart | pb.ListAvailabilityAlternativesRequest) -> Question:
    return Question(
        offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
        start=request.start.epoch_seconds,
        party_size=request.party_size,
        area_id=area_id(request.area_id),
        attributes=frozenset(request.attributes),
    )


def _verdict(verdict: Verdict) -> pb.StartAvailability:
    wanted, slot = verdict.wanted, verdict.slot
    return pb.StartAvailability(
        offering_id=ids.show("off", wanted.offering_id),
        start=moment(verdict.zone, wanted.start),
        end=moment(verdict.zone, slot.end) if slot else None,
        party_size=wanted.party.size,
        bookable=verdict.refusal is None,
        reason=_REASONS[verdict.refusal],
        deposit=money(slot.deposit) if slot else None,
        asks_first=bool(slot and slot.asks_first),
    )


def _elsewhere(elsewhere: Elsewhere) -> pb.VenueSlot:
    venue = elsewhere.venue
    return pb.VenueSlot(
        venue_id=ids.show("ven", venue.id),
        venue_name=venue.name,
        venue_slug=venue.slug,
        time_zone=venue.time_zone,
        slot=_slot(ZoneInfo(venue.time_zone), elsewhere.slot),
    )
