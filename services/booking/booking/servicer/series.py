"""SeriesService: messages to use cases and back."""

from datetime import date, datetime, time
from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.domain import texts
from booking.domain.calendar import LocalTimeMissing
from booking.domain.offerings import OfferingNotFound
from booking.domain.series import Occurrence, OccurrenceState, Scope, Series, SeriesNotFound
from booking.events.messages import STATUSES, guest_message, moment
from booking.servicer.capacity import area_id
from booking.servicer.reading import calendar_day, guest, page_by_id, reason, venue_ref
from booking.usecases import series, series_changes
from booking.usecases.directory import staff
from booking.usecases.series import Order, View
from booking.usecases.series_changes import Part, Revision
from comptoir.booking.v1 import series_pb2, series_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_SCOPES = {
    series_pb2.SERIES_SCOPE_THIS: Scope.THIS,
    series_pb2.SERIES_SCOPE_THIS_AND_FOLLOWING: Scope.THIS_AND_FOLLOWING,
    series_pb2.SERIES_SCOPE_ALL: Scope.ALL,
}
_STATES = {
    OccurrenceState.BOOKED: series_pb2.OCCURRENCE_STATE_BOOKED,
    OccurrenceState.CHANGED: series_pb2.OCCURRENCE_STATE_CHANGED,
    OccurrenceState.CANCELLED: series_pb2.OCCURRENCE_STATE_CANCELLED,
    OccurrenceState.SKIPPED: series_pb2.OCCURRENCE_STATE_SKIPPED,
}


class SeriesServicer(series_pb2_grpc.SeriesServiceServicer):
    """Recurring bookings."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateSeries(
        self, request: series_pb2.CreateSeriesRequest, _context: _Context
    ) -> series_pb2.CreateSeriesResponse:
        """Books every occurrence of a rule."""
        caller = identity.caller()
        order = Order(
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            rule=request.rule,
            first=_local(request.first_start),
            party_size=request.party_size,
            guest=guest(request.guest),
            notes=texts.several_lines("/notes", request.notes),
            excluded=_days("/excluded_dates", request.excluded_dates),
            added=_days("/added_dates", request.added_dates),
            area_id=area_id(request.area_id),
            attributes=frozenset(request.attributes),
            skip=request.on_conflict == series_pb2.ON_CONFLICT_SKIP,
        )
        view = await series.create_series(
            self._app, caller.tenant, venue_ref(request.venue_id), order, actor=staff(caller)
        )
        return series_pb2.CreateSeriesResponse(series=_message(view.series, view))

    async def ListSeries(
        self, request: series_pb2.ListSeriesRequest, _context: _Context
    ) -> series_pb2.ListSeriesResponse:
        """Lists a venue's series."""
        found, more = await series.list_series(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            page=page_by_id(request.page_size, request.page_token, request.venue_id),
        )
        return series_pb2.ListSeriesResponse(items=map(_message, found), next_page_token=more)

    async def GetSeries(
        self, request: series_pb2.GetSeriesRequest, _context: _Context
    ) -> series_pb2.GetSeriesResponse:
        """Reads a series."""
        series_id = ids.parse("ser", request.series_id, SeriesNotFound)
        view = await series.get_series(self._app, identity.caller().tenant, series_id)
        return series_pb2.GetSeriesResponse(series=_message(view.series, view))

    async def ChangeSeries(
        self, request: series_pb2.ChangeSeriesRequest, _context: _Context
    ) -> series_pb2.ChangeSeriesResponse:
        """Changes a part of a series."""
        caller = identity.caller()
        notes = texts.several_lines("/notes", request.notes) if request.HasField("notes") else None
        revision = Revision(
            at=time.fromisoformat(request.local_time) if request.local_time else None,
            party_size=request.party_size,
            notes=notes,
            skip=request.on_conflict == series_pb2.ON_CONFLICT_SKIP,
        )
        view = await series_changes.change_series(
            self._app,
            caller.tenant,
            ids.parse("ser", request.series_id, SeriesNotFound),
            _part(request),
            revision,
            actor=staff(caller),
        )
        stayed = [
            series_pb2.OccurrenceConflict(date=each.date.isoformat(), reason=each.reason)
            for each in view.conflicts
        ]
        return series_pb2.ChangeSeriesResponse(series=_message(view.series, view), conflicts=stayed)

    async def CancelSeries(
        self, request: series_pb2.CancelSeriesRequest, _context: _Context
    ) -> series_pb2.CancelSeriesResponse:
        """Cancels a part of a series for the venue."""
        caller = identity.caller()
        view = await series_changes.cancel_series(
            self._app,
            caller.tenant,
            ids.parse("ser", request.series_id, SeriesNotFound),
            _part(request),
            actor=staff(caller),
            reason=reason(request),
        )
        return series_pb2.CancelSeriesResponse(series=_message(view.series, view))


def _local(text: str) -> datetime:
    """What the venue's clocks show. Raises LocalTimeMissing for a day that no calendar has."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise LocalTimeMissing from None


def _days(pointer: str, told: Any) -> tuple[date, ...]:
    return tuple(calendar_day(each, f"{pointer}/{number}") for number, each in enumerate(told))


def _part(request: Any) -> Part:
    """How much of a series is meant. Raises Inconsistent when it has to be one day's and none is given."""
    scope = _SCOPES[request.scope]
    if scope is not Scope.ALL and not request.date:
        texts.refuse("/date", "must be given unless all occurrences are meant")
    day = calendar_day(request.date, "/date") if request.date else None
    return Part(scope, day, request.expected_version)


def _message(told: Series, view: View | None = None) -> series_pb2.Series:
    schedule = told.schedule
    return series_pb2.Series(
        id=ids.show("ser", told.id),
        venue_id=ids.show("ven", told.venue_id),
        offering_id=ids.show("off", told.offering_id),
        rule=schedule.rule.text(),
        first_date=schedule.first.isoformat(),
        local_time=f"{schedule.time:%H:%M}",
        time_zone=told.time_zone,
        excluded_dates=[each.isoformat() for each in schedule.excluded],
        added_dates=[each.isoformat() for each in schedule.added],
        party_size=told.party_size,
        guest=guest_message(told.guest),
        notes=told.notes,
        ended=told.ended,
        origin_id=ids.show("ser", told.origin_id) if told.origin_id else "",
        version=told.version,
        area_id=ids.show("are", told.area_id) if told.area_id else "",
        attributes=sorted(told.attributes),
        occurrences=[_occurrence(told, each) for each in view.occurrences] if view else (),
    )


def _occurrence(told: Series, occurrence: Occurrence) -> series_pb2.Occurrence:
    message = series_pb2.Occurrence(
        date=occurrence.date.isoformat(), state=_STATES[told.state(occurrence)], reason=occurrence.reason
    )
    booking = occurrence.booking
    if booking is not None:
        message.booking_id = ids.show("bkg", booking.id)
        message.booking_status = STATUSES[booking.status]
        message.start.CopyFrom(moment(told.zone, booking.start))
        message.party_size = booking.party_size
    return message
