"""Answers that are no JSON: what a service says is what is sent, with the type that it says."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from google.api import httpbody_pb2

from comptoir.api.v1 import policy_pb2
from comptoir.notification.v1 import notification_pb2_grpc
from gateway.app import open_gateway
from gateway.openapi import document
from gateway.routes import ContractBroken, refuse_faults, routes
from gateway.settings import Settings
from servicekit.errors import AppError, Kind
from testkit.edge import Edge
from testkit.keys import Keys

from .conftest import Backend

CALENDAR = "BEGIN:VCALENDAR\r\nSUMMARY:Dîner\r\nEND:VCALENDAR\r\n".encode()


class Gone(AppError):
    """A link that is none."""

    kind = Kind.NOT_FOUND
    reason = "MANAGE_TOKEN_NOT_FOUND"


class GuestCalendars(notification_pb2_grpc.GuestCalendarServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def GetManagedCalendar(self, request: Any, context: Any) -> Any:  # noqa: N802
        body = httpbody_pb2.HttpBody(content_type="text/calendar; charset=utf-8", data=CALENDAR)
        return self.backend.seen(request, context, body)


@pytest.fixture
async def guest(settings: Settings, keys: Keys, backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody anonymous, at a gateway whose notification answers."""
    calendars = GuestCalendars(backend)
    service = await Edge.start(
        "notification",
        keys,
        [lambda s: notification_pb2_grpc.add_GuestCalendarServiceServicer_to_server(calendars, s)],
    )
    peers = settings.peers | {"notification": f"127.0.0.1:{service.port}"}
    async with open_gateway(settings.model_copy(update={"peers": peers}), lambda: True) as opened:
        transport = httpx.ASGITransport(app=opened, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client
    await service.stop()


async def test_a_calendar_is_sent_as_it_is(guest: httpx.AsyncClient, backend: Backend) -> None:
    answer = await guest.get("/v1/manage/secret/calendar.ics")
    assert (answer.status_code, answer.content) == (200, CALENDAR)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert backend.request.token == "secret"


async def test_a_refusal_of_it_is_a_problem_like_any(
    guest: httpx.AsyncClient, backend: Backend, problem: Any
) -> None:
    backend.refusal = Gone()
    problem(await guest.get("/v1/manage/tampered/calendar.ics"), 404, "MANAGE_TOKEN_NOT_FOUND")


def test_the_document_names_its_type() -> None:
    operation = document(routes())["paths"]["/v1/manage/{token}/calendar.ics"]["get"]
    assert operation["responses"]["200"]["content"] == {"text/calendar": {"schema": {"type": "string"}}}
    assert operation["responses"]["200"]["description"]


def test_a_type_without_raw_content_is_refused_at_start_and_the_other_way_round() -> None:
    by_id = {route.operation_id: route for route in routes()}
    typed = policy_pb2.Policy(media_type="text/plain")
    for route in (
        replace(by_id["getBooking"], policy=typed),
        replace(by_id["getManagedCalendar"], policy=policy_pb2.Policy()),
    ):
        with pytest.raises(ContractBroken, match="media type"):
            refuse_faults(route)
