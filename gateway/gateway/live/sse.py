"""A stream as server-sent events (HTML Living Standard, 9.2). The id of each event holds the place."""

import asyncio
from collections.abc import Sequence

from gateway.http import Receive, Send
from gateway.live.connection import Connection
from gateway.live.errors import MalformedMessage
from gateway.live.session import position
from gateway.live.store import Position

CONTENT_TYPE = b"text/event-stream"
_BETWEEN, _NOWHERE = "~", "-"
_COMMENT = b": still here\n\n"


class Frames:
    """Puts messages into events. The id says how far each topic was read, in the order of the query."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def __call__(self, connection: Connection, name: str, said: str) -> str:
        """An event. Messages of topics have no name, so that `onmessage` gets them."""
        head = "" if name == "message" else f"event: {name}\n"
        known = connection.subscriptions
        places = [known[each].position if each in known else None for each in self._topics]
        shown = _BETWEEN.join(f"{each.epoch}.{each.offset}" if each else _NOWHERE for each in places)
        return f"id: {shown}\n{head}data: {said}\n\n"


def places(event_id: str, topics: Sequence[str]) -> dict[str, Position]:
    """Where a client that comes back was in each topic; nothing for an id that is none of ours."""
    parts = event_id.split(_BETWEEN)
    found = {}
    if len(parts) == len(topics):
        for topic, part in zip(topics, parts, strict=True):
            epoch, _, offset = part.partition(".")
            if offset.isdecimal() and offset.isascii() and len(offset) <= 15:  # noqa: PLR2004
                try:
                    found[topic] = position(epoch, int(offset))
                except MalformedMessage:
                    continue
    return found


async def serve(connection: Connection, receive: Receive, send: Send, *, heartbeat_seconds: float) -> None:
    """Writes the body of the answer until the client goes, or the connection is closed."""
    watching = asyncio.create_task(_watch(connection, receive))
    try:
        while not watching.done() and (connection.closing is None or connection.pending):
            try:
                async with asyncio.timeout(heartbeat_seconds):
                    body = "".join(await connection.waiting()).encode()
            except TimeoutError:
                body = _COMMENT
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(connection: Connection, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.hang_up()
