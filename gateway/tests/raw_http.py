"""Bytes to a real socket, and what comes back: for requests that no well-behaved client sends."""

import asyncio
import json
from typing import TypeAlias

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
