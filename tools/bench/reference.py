"""The bare slice that bookings are measured against: HTTP, one gRPC hop, one statement, nothing else.

`python -m tools.bench.reference gateway PORT SERVICE_PORT`, `… service PORT DATABASE_URL`. It keeps the
guarantees that matter (idempotency, no double booking, an outbox row, a durable commit) and the hops of the
platform, and leaves out all else: no contract, no rules, no identity, no tenant.
"""

import asyncio
import sys
from typing import Any

import asyncpg
import grpc
import orjson
import uvicorn
import uvloop

_SERVICE, _METHOD = "slice.Slice", "Book"
_LOOPBACK = "127.0.0.1"

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE IF NOT EXISTS slice_keys (key text PRIMARY KEY, booking_id bigint NOT NULL);
CREATE TABLE IF NOT EXISTS slice_bookings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource_id int NOT NULL,
    during tstzrange NOT NULL,
    guest text NOT NULL,
    CONSTRAINT slice_bookings_no_overlap EXCLUDE USING gist (resource_id WITH =, during WITH &&)
);
CREATE TABLE IF NOT EXISTS slice_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL, at timestamptz DEFAULT now()
);
"""
STATEMENT = """
WITH booking AS (
    INSERT INTO slice_bookings (resource_id, during, guest)
    VALUES ($1, tstzrange(to_timestamp($2), to_timestamp($3)), $4)
    ON CONFLICT DO NOTHING
    RETURNING id
), key AS (
    INSERT INTO slice_keys (key, booking_id) SELECT $5, id FROM booking
), fact AS (
    INSERT INTO slice_outbox (payload) SELECT jsonb_build_object('booking', id) FROM booking
)
SELECT id FROM booking
"""


class Gateway:
    """The ASGI app: hands the JSON body to the service and its answer back."""

    def __init__(self, book: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]") -> None:
        self._book = book

    async def __call__(self, _scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Books what the body wishes: 201, or 409 when the room is gone."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        booking = await self._book(body)
        answer = orjson.dumps({"id": booking.decode() or None})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 201 if booking else 409, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _serve_gateway(port: int, service: str) -> None:
    async with grpc.aio.insecure_channel(f"{_LOOPBACK}:{service}") as channel:
        config = uvicorn.Config(
            Gateway(channel.unary_unary(f"/{_SERVICE}/{_METHOD}", bytes, bytes)),
            port=port,
            http="httptools",
            loop="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
        )
        await uvicorn.Server(config).serve()


async def _serve_service(port: int, url: str) -> None:
    pool = await asyncpg.create_pool(url, min_size=6, max_size=6)

    async def book(body: bytes, _context: Any) -> bytes:
        wish = orjson.loads(body)
        values = (wish["resource"], wish["start"], wish["end"], wish["guest"], wish["key"])
        booking = await pool.fetchval(STATEMENT, *values)
        return str(booking).encode() if booking else b""

    server = grpc.aio.server()
    handlers = {_METHOD: grpc.unary_unary_rpc_method_handler(book)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    server.add_insecure_port(f"{_LOOPBACK}:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    role = {"gateway": _serve_gateway, "service": _serve_service}[sys.argv[1]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(role(int(sys.argv[2]), sys.argv[3]))
