"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

import grpc

from analytics import usecases
from analytics.app import App
from analytics.domain.figures import ActivityFigures, ServiceFigures, VenueNotFound
from comptoir.analytics.v1 import overview_pb2, overview_pb2_grpc
from comptoir.common.v1 import values_pb2
from servicekit import identity, ids
from servicekit.errors import InvalidRequest, Violation
from servicekit.money import Money
from servicekit.rpc.server import Registration

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class AnalyticsServicer(overview_pb2_grpc.AnalyticsServiceServicer):
    """Numbers for owners and staff."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetOverview(
        self, request: overview_pb2.GetOverviewRequest, _context: _Context
    ) -> overview_pb2.GetOverviewResponse:
        """A venue's numbers of one local day."""
        found = await usecases.get_overview(
            self._app,
            identity.caller().tenant,
            ids.parse("ven", request.venue_id, VenueNotFound),
            day=_day(request.date),
        )
        answer = overview_pb2.GetOverviewResponse(
            date=found.day.isoformat(),
            time_zone=found.time_zone,
            service=_service(found.service),
            activity=_activity(found.activity),
        )
        answer.as_of.FromDatetime(found.as_of)
        return answer


def servicers(app: App) -> Sequence[Registration]:
    """The service, ready to be added to a server."""
    return [
        lambda server: overview_pb2_grpc.add_AnalyticsServiceServicer_to_server(
            AnalyticsServicer(app), server
        )
    ]


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(violations=[Violation("/date", "must be a day of the calendar")]) from None


def _service(figures: ServiceFigures) -> overview_pb2.ServiceFigures:
    return overview_pb2.ServiceFigures(
        bookings=figures.bookings,
        covers=figures.covers,
        occupancy_basis_points=figures.occupancy,
        cancellations=figures.cancellations,
        cancellation_rate_basis_points=figures.cancellation_rate,
    )


def _activity(figures: ActivityFigures) -> overview_pb2.ActivityFigures:
    return overview_pb2.ActivityFigures(
        bookings=figures.bookings,
        covers=figures.covers,
        cancellations=figures.cancellations,
        deposits=_money(figures.deposits),
        refunds=_money(figures.refunds),
    )


def _money(money: Money) -> values_pb2.Money:
    return values_pb2.Money(amount=money.amount, currency=money.currency)
