"""A gateway that does nothing but the call: reads the request, asks the service, writes the answer.

No limits, identity, versions, logs, cache or safety: what the edge is measured against.
`python -m tools.bench.proxy LISTEN TARGET KEY_FILE`.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson
import uvicorn
import uvloop

from gateway.http import Receive, Scope, Send
from gateway.requests import RequestReader
from gateway.routes import routes
from gateway.transcoding import writer
from servicekit.identity import Caller, CallerKind, Signer
from servicekit.rpc.client import Peer

_OPERATION = "searchAvailability"
_TIMEOUT_SECONDS = 10.0
_HEADERS = [(b"content-type", b"application/json")]


class BareProxy:
    """Answers one route of the contract by its RPC, whatever the path and whoever asks."""

    def __init__(self, target: str, key_file: Path) -> None:
        self._route = next(route for route in routes() if route.operation_id == _OPERATION)
        self._signer = Signer(key_file)
        self._peer = Peer(self._route.rpc.service, target, self._signer, retries=True)
        self._reader = RequestReader(self._route)
        self._write = writer(self._route.response)
        self._method = self._peer.channel.unary_unary(
            self._route.rpc.path,
            request_serializer=self._route.rpc.request.SerializeToString,
            response_deserializer=self._route.rpc.response.FromString,
        )
        self._anybody = Caller(CallerKind.ANONYMOUS, issuer="gateway")

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        venue = scope["path"].split("/")[3]
        message = self._reader.read((venue,), scope["query_string"], b"")
        token = self._signer.token(self._peer.name, self._anybody)
        answer: Any = await self._peer.call_as(token, self._method, message, timeout=_TIMEOUT_SECONDS)
        body = orjson.dumps(self._write(answer))
        headers = [*_HEADERS, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _serve(listen: str, target: str, key_file: Path) -> None:
    host, _, port = listen.rpartition(":")
    app = BareProxy(target, key_file)
    config = uvicorn.Config(
        app,
        host=host,
        port=int(port),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
