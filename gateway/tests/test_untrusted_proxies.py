"""A proxy in front that nobody told the gateway of: all people are one place then, and the log says so."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.dispatch import Table
from gateway.edge import Edge


async def _ask(edge: Edge, *forwarded: str) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/nowhere",
        "raw_path": b"/nowhere",
        "query_string": b"",
        "headers": [(b"x-forwarded-for", each.encode()) for each in forwarded],
        "client": ("198.51.100.1", 4711),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message["type"].startswith("http.response")

    await edge(scope, receive, send)


@pytest.mark.parametrize(("trusted", "warnings"), [(0, 1), (1, 0)])
async def test_a_forwarded_address_that_is_not_believed_is_told_once(trusted: int, warnings: int) -> None:
    edge = Edge(Table(), trusted_proxies=trusted)
    with capture_logs() as logged:
        await _ask(edge)
        assert [each["event"] for each in logged] == []
        for _ in range(3):
            await _ask(edge, "192.0.2.7")
    told = [each for each in logged if each["event"] == "forwarded_for_not_trusted"]
    assert len(told) == warnings
    assert all("192.0.2.7" not in str(each) for each in told)
