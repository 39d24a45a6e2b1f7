"""Bytes to a real socket, and what comes back: for requests that no well-behaved client sends."""

import asyncio
import json
from collections.abc import MutableMapping, Sequence
from typing import Any, TypeAlias

Address: TypeAlias = tuple[str, int]
Raw: TypeAlias = tuple[int, dict[str, str], bytes]
"""The first answer's status and headers, and everything after them."""


async def exchange(address: Address, *parts: bytes) -> Raw:
    """Sends the parts and reads until the server closes. The status is 0 when it said nothing."""
    reader, writer = await asyncio.open_connection(*address)
    for part in parts:
        writer.write(part)
        await writer.drain()
    raw = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split(" ")[1]) if lines[0] else 0, headers, body


def reason(answer: Raw) -> tuple[int, str]:
    """Status and reason of a problem."""
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    return status, json.loads(body)["reason"]


async def asgi(
    app: Any, method: str, path: bytes, *, query: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = ()
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status and headers of the answer to a request with whatever bytes, which no client would send."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "headers": [*headers],
        "client": ("192.0.2.7", 4711),
    }
    await app(scope, receive, send)
    return sent[0]["status"], sent[0]["headers"]
