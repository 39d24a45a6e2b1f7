"""The listener of every process: whom it takes a client for."""

import json
from typing import Any

import httpx

from servicekit import admin


async def _tell_client(scope: dict[str, Any], _receive: object, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send(
        {"type": "http.response.body", "body": json.dumps([*scope["client"], scope["scheme"]]).encode()}
    )


async def test_a_forwarded_address_is_not_believed_though_it_comes_from_loopback() -> None:
    """uvicorn would, unless it is told not to: whoever shares the host could be anybody."""
    forged = {"x-forwarded-for": "203.0.113.66", "x-forwarded-proto": "https"}
    async with admin.serve(_tell_client, "127.0.0.1:0") as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/", headers=forged)
    address, _, scheme = answer.json()
    assert (address, scheme) == ("127.0.0.1", "http")
