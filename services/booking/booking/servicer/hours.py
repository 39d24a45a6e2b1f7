"""HoursService: messages to use cases and back."""

from collections.abc import Iterable
from datetime import date
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import grpc

from booking.app import App
from booking.domain.closures import Closure, ClosureNotFound
from booking.domain.offerings import OfferingNotFound
from booking.domain.shifts import ShiftNotFound
from booking.domain.stranded import Stranding
from booking.domain.windows import DateExceptionNotFound, Window
from booking.events.hours import closure_message, exception_message, shift_message
from booking.events.messages import moment, offering_message
from booking.servicer.reading import calendar_day, lead, page, venue_ref
from booking.usecases import closures, hours, stranded
from booking.usecases.hours import Times
from booking.usecases.stranded import Stranded
from comptoir.booking.v1 import hours_pb2, hours_pb2_grpc
from servicekit import identity, ids
from servicekit.paging import Page

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_REASONS = {
    Stranding.CLOSED: hours_pb2.STRANDED_REASON_CLOSED,
    Stranding.MUST_FINISH: hours_pb2.STRANDED_REASON_MUST_FINISH,
    Stranding.RESOURCE_OUT_OF_SERVICE: hours_pb2.STRANDED_REASON_RESOURCE_OUT_OF_SERVICE,
    Stranding.NO_TABLE_FOR_PARTY: hours_pb2.STRANDED_REASON_NO_TABLE_FOR_PARTY,
    Stranding.NOT_JOINED: hours_pb2.STRANDED_REASON_NOT_JOINED,
    Stranding.NOT_AS_ASKED: hours_pb2.STRANDED_REASON_NOT_AS_ASKED,
}


class HoursServicer(hours_pb2_grpc.HoursServiceServicer):
    """When a venue is open."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def UpdateShift(
        self, request: hours_pb2.UpdateShiftRequest, _context: _Context
    ) -> hours_pb2.UpdateShiftResponse:
        """Replaces a shift."""
        changed = await hours.update_shift(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("shi", request.shift_id, ShiftNotFound),
            weekdays=request.weekdays,
            opens=request.opens,
            last_start=request.last_start,
            closes=request.closes,
            must_finish=request.must_finish,
        )
        return hours_pb2.UpdateShiftResponse(
            shift=shift_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def DeleteShift(
        self, request: hours_pb2.DeleteShiftRequest, _context: _Context
    ) -> hours_pb2.DeleteShiftResponse:
        """Deletes a shift."""
        changed = await hours.delete_shift(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("shi", request.shift_id, ShiftNotFound),
        )
        return hours_pb2.DeleteShiftResponse(stranded_booking_ids=_bookings(changed.stranded))

    async def CreateDateException(
        self, request: hours_pb2.CreateDateExceptionRequest, _context: _Context
    ) -> hours_pb2.CreateDateExceptionResponse:
        """Gives a date hours of its own."""
        changed = await hours.create_exception(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            service_date=calendar_day(request.service_date, "/service_date"),
            windows=_windows(request),
            reason=request.reason,
            note=request.note,
        )
        return hours_pb2.CreateDateExceptionResponse(
            exception=exception_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def ListDateExceptions(
        self, request: hours_pb2.ListDateExceptionsRequest, _context: _Context
    ) -> hours_pb2.ListDateExceptionsResponse:
        """Lists the exceptions of some dates."""
        found, token = await hours.list_exceptions(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            *_days(request),
            page=_page(request, "exceptions"),
        )
        return hours_pb2.ListDateExceptionsResponse(
            items=map(exception_message, found), next_page_token=token
        )

    async def UpdateDateException(
        self, request: hours_pb2.UpdateDateExceptionRequest, _context: _Context
    ) -> hours_pb2.UpdateDateExceptionResponse:
        """Replaces an exception's hours."""
        changed = await hours.update_exception(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("dex", request.exception_id, DateExceptionNotFound),
            windows=_windows(request),
            reason=request.reason,
            note=request.note,
        )
        return hours_pb2.UpdateDateExceptionResponse(
            exception=exception_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def DeleteDateException(
        self, request: hours_pb2.DeleteDateExceptionRequest, _context: _Context
    ) -> hours_pb2.DeleteDateExceptionResponse:
        """Deletes an exception."""
        changed = await hours.delete_exception(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("dex", request.exception_id, DateExceptionNotFound),
        )
        return hours_pb2.DeleteDateExceptionResponse(stranded_booking_ids=_bookings(changed.stranded))

    async def CreateClosure(
        self, request: hours_pb2.CreateClosureRequest, _context: _Context
    ) -> hours_pb2.CreateClosureResponse:
        """Closes service days."""
        changed = await closures.create_closure(
            self._app, identity.caller().tenant, venue_ref(request.venue_id), _closure(ids.new(), request)
        )
        return hours_pb2.CreateClosureResponse(
            closure=closure_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def ListClosures(
        self, request: hours_pb2.ListClosuresRequest, _context: _Context
    ) -> hours_pb2.ListClosuresResponse:
        """Lists the closures of some days."""
        found, token = await closures.list_closures(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            *_days(request),
            page=_page(request, "closures"),
        )
        return hours_pb2.ListClosuresResponse(items=map(closure_message, found), next_page_token=token)

    async def UpdateClosure(
        self, request: hours_pb2.UpdateClosureRequest, _context: _Context
    ) -> hours_pb2.UpdateClosureResponse:
        """Replaces a closure."""
        closure = _closure(ids.parse("clo", request.closure_id, ClosureNotFound), request)
        changed = await closures.update_closure(
            self._app, identity.caller().tenant, venue_ref(request.venue_id), closure
        )
        return hours_pb2.UpdateClosureResponse(
            closure=closure_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def DeleteClosure(
        self, request: hours_pb2.DeleteClosureRequest, _context: _Context
    ) -> hours_pb2.DeleteClosureResponse:
        """Deletes a closure."""
        await closures.delete_closure(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("clo", request.closure_id, ClosureNotFound),
        )
        return hours_pb2.DeleteClosureResponse()

    async def UpdateOfferingTimes(
        self, request: hours_pb2.UpdateOfferingTimesRequest, _context: _Context
    ) -> hours_pb2.UpdateOfferingTimesResponse:
        """Replaces an offering's rules of time."""
        times = Times(
            slot_minutes=request.slot_minutes,
            min_notice_minutes=request.min_notice_minutes,
            max_advance_days=request.max_advance_days,
            buffer_before_minutes=request.buffer_before_minutes,
            buffer_after_minutes=request.buffer_after_minutes,
            notice_until=lead(request, "notice_until"),
            release=lead(request, "release"),
        )
        offering = await hours.update_times(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("off", request.offering_id, OfferingNotFound),
            times,
            expected_version=request.expected_version,
        )
        return hours_pb2.UpdateOfferingTimesResponse(offering=offering_message(offering))

    async def ListStrandedBookings(
        self, request: hours_pb2.ListStrandedBookingsRequest, _context: _Context
    ) -> hours_pb2.ListStrandedBookingsResponse:
        """Lists what is stranded on some days."""
        zone, found, token = await stranded.list_stranded(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            *_days(request),
            page=_page(request, "stranded"),
        )
        items = [_stranded(zone, each) for each in found]
        return hours_pb2.ListStrandedBookingsResponse(items=items, next_page_token=token)


def _windows(request: Any) -> list[Window]:
    return [
        Window.of(
            each.opens,
            each.last_start,
            each.closes,
            must_finish=each.must_finish,
            pointer=f"/windows/{number}",
        )
        for number, each in enumerate(request.windows)
    ]


def _closure(closure_id: UUID, request: Any) -> Closure:
    return Closure.plan(
        closure_id,
        offering_ids=[ids.parse("off", each, OfferingNotFound) for each in request.offering_ids],
        first=calendar_day(request.first_date, "/first_date"),
        last=calendar_day(request.last_date, "/last_date"),
        begins=request.begins,
        ends=request.ends,
        cuts_tail=request.cuts_tail,
        reason=request.reason,
        note=request.note,
    )


def _days(request: Any) -> tuple[date, date]:
    # A keyword of Python.
    return calendar_day(getattr(request, "from"), "/from"), calendar_day(request.to, "/to")


def _page(request: Any, name: str) -> Page:
    """Each of these lists is sorted by a day or a start, and by id."""
    return page(request, name, request.venue_id, getattr(request, "from"), request.to, keys=2)


def _bookings(booking_ids: Iterable[UUID]) -> list[str]:
    return [ids.show("bkg", each) for each in booking_ids]


def _stranded(zone: ZoneInfo, stranded: Stranded) -> hours_pb2.StrandedBooking:
    commitment = stranded.commitment
    return hours_pb2.StrandedBooking(
        booking_id=ids.show("bkg", commitment.booking_id),
        offering_id=ids.show("off", commitment.offering_id),
        start=moment(zone, commitment.start),
        party_size=commitment.party_size,
        reason=_REASONS[stranded.reason],
    )
