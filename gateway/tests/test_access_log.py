"""The access log: a line for each request, and nothing in it that tells of a person or a secret."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.access_log import AccessLog
from gateway.app import open_gateway
from gateway.note import Note
from gateway.settings import Settings
from testkit import eventually

SECRETS = ("zoe@example.com", "Zoé", "hunter2-hunter2", "203.0.113.9", "spy/1.0", "manage-token", "s3cret")
FIELDS = {
    "event",
    "level",
    "service",
    "timestamp",
    "method",
    "route",
    "status",
    "duration_ms",
    "bytes",
    "request_id",
    "trace_id",
    "caller",
}


@asynccontextmanager
async def asked(settings: Settings, *, log: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with a log of its own."""
    own = settings.model_copy(update={"http": settings.http.model_copy(update={"access_log": log})})
    async with open_gateway(own, lambda: True) as edge:
        transport = httpx.ASGITransport(edge, raise_app_exceptions=True, client=("203.0.113.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


def lines(written: bytes) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in written.splitlines() if b'"event":"request"' in line]
    assert all(each.keys() >= FIELDS for each in found)
    return found


async def test_nothing_that_came_from_a_client_reaches_it(
    settings: Settings, backend: Any, access: Any, capsysbinary: Any
) -> None:
    async with asked(settings) as client:
        headers = {"user-agent": "spy/1.0", "cookie": "session=s3cret", "x-forwarded-for": "203.0.113.9"}
        body = {"email": "zoe@example.com", "password": "hunter2-hunter2"}
        await client.post("/v1/auth/login", json=body, headers=headers)
        await client.get("/v1/manage/manage-token?name=Zo%C3%A9&email=zoe@example.com", headers=headers)
        await client.get("/v1/manage/manage-token", headers=headers)
        await client.get("/zoe@example.com", headers=headers | {"x-request-id": "zoe@example.com"})
        await client.request("S3CRET", "/v1/bookings")
        await client.get("/v1/bookings/s3cret", headers={"authorization": "Bearer s3cret"})
        token = access.bearer(role="viewer")
        await client.get("/v1/bookings/s3cret", headers=token)
    written = capsysbinary.readouterr().out
    assert not [each for each in SECRETS if each.lower().encode() in written.lower()]
    assert token["Authorization"].encode() not in written
    told = [(each["method"], each["route"], each["status"], each["caller"]) for each in lines(written)]
    assert told == [
        ("POST", "/v1/auth/login", 200, "anonymous"),
        ("GET", "/v1/manage/{token}", 400, "anonymous"),
        ("GET", "/v1/manage/{token}", 200, "anonymous"),
        ("GET", "(none)", 404, "anonymous"),
        ("other", "(none)", 405, "anonymous"),
        ("GET", "/v1/bookings/{booking_id}", 401, "anonymous"),
        ("GET", "/v1/bookings/{booking_id}", 200, "member"),
    ]
    assert [each.get("organization") for each in lines(written)] == [None] * 6 + [str(access.organization)]
    assert backend.calls == 3


async def test_a_line_leads_to_the_trace_and_to_what_the_client_was_told(
    settings: Settings, backend: Any, capsysbinary: Any
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with asked(settings) as client:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-00", "x-request-id": "request-0001"}
        answer = await client.get("/v1/manage/right", headers=headers)
        await client.head("/v1/manage/right")
    got, head = lines(capsysbinary.readouterr().out)
    assert (got["trace_id"], got["request_id"]) == (trace, "request-0001")
    assert (got["bytes"], head["bytes"]) == (len(answer.content), 0)
    assert got["duration_ms"] > 0
    assert backend.calls == 2


@pytest.mark.parametrize("kind", ["operator", "break glass"])
async def test_operators_are_told_from_members(
    settings: Settings, backend: Any, access: Any, capsysbinary: Any, kind: str
) -> None:
    async with asked(settings) as client:
        if kind == "operator":
            await client.get("/v1/platform/me", headers=access.operator())
        else:
            await client.get("/v1/bookings/bkg_1", headers=access.break_glass())
    (line,) = lines(capsysbinary.readouterr().out)
    assert line["caller"] == "operator"
    assert ("organization" in line) == (kind == "break glass")
    assert backend.calls == 1


async def test_it_can_be_switched_off(settings: Settings, backend: Any, capsysbinary: Any) -> None:
    async with asked(settings, log=False) as client:
        await client.get("/v1/manage/right")
    assert lines(capsysbinary.readouterr().out) == []
    assert backend.calls == 1


def _add(log: AccessLog) -> None:
    log.add("request-0001", "GET", "/healthz", Note(), status=200, seconds=0.001, size=2)


def test_lines_are_gathered_until_there_are_many() -> None:
    written: list[bytes] = []
    log = AccessLog(written.append)
    for _ in range(499):
        _add(log)
    assert written == []
    _add(log)
    assert len(written) == 1
    assert len(lines(written[0])) == 500
    log.flush()
    assert len(written) == 1, "there is nothing more to write"


async def test_lines_are_written_while_nothing_else_comes() -> None:
    written: list[bytes] = []
    log = AccessLog(written.append)
    flushing = asyncio.create_task(log.keep_flushing())
    _add(log)
    assert await eventually(lambda: written)
    flushing.cancel()


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    def broken(_: bytes) -> None:
        raise BrokenPipeError

    log = AccessLog(broken)
    _add(log)
    log.flush()
