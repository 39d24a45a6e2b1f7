"""The bare slice that bookings are measured against: raw ASGI, one asyncpg statement, nothing else.

`python -m tools.bench.reference PORT DATABASE_URL`. It keeps the guarantees that matter (idempotency, no
double booking, an outbox row, a durable commit) and leaves out all else: no gateway, no rules, no tenant.
"""

import asyncio
import sys
from typing import Any

import asyncpg
import orjson
import uvicorn
import uvloop

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


class Slice:
    """The ASGI app."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def __call__(self, _scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Books what the JSON body wishes: 201, or 409 when the room is gone."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        wish = orjson.loads(body)
        values = (wish["resource"], wish["start"], wish["end"], wish["guest"], wish["key"])
        booking = await self._pool.fetchval(STATEMENT, *values)
        answer = orjson.dumps({"id": booking})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 201 if booking else 409, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _serve(port: int, url: str) -> None:
    pool = await asyncpg.create_pool(url, min_size=6, max_size=6)
    config = uvicorn.Config(
        Slice(pool),
        port=port,
        http="httptools",
        loop="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.argv[2]))
