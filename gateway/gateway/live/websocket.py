"""A stream over WebSocket (RFC 6455). Pings and the size of messages are the server's, below ASGI."""

import asyncio

from gateway.http import Receive, Send
from gateway.live.connection import Connection
from gateway.live.session import Session
from gateway.live.upgrading import FRAMES


def frame(_connection: Connection, _name: str, said: str) -> str:
    """A message as it is."""
    return said


async def serve(session: Session, connection: Connection, receive: Receive, send: Send) -> None:
    """Runs an accepted stream until the client goes, or the connection is closed."""
    reading = asyncio.create_task(_read(session, connection, receive))
    try:
        while connection.closing is None or connection.pending:
            for text in await connection.waiting():
                await send({"type": "websocket.send", "text": text})
            if reading.done() and connection.closing is None:
                reading.result()
                return
        if connection.closing is not None:
            closing = connection.closing
            await send({"type": "websocket.close", "code": closing.code, "reason": closing.error.reason})
    except OSError:
        return  # the client is gone: what ASGI raises from `send` then
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(session: Session, connection: Connection, receive: Receive) -> None:
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if message["type"] == FRAMES:
                session.count(message["count"])
                continue
            await session.hear(message.get("text") or message.get("bytes") or "")
    finally:
        connection.hang_up()
