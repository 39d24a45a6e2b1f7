"""The admin port of every process: /healthz, /readyz and /metrics. Never reachable from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from servicekit.listening import bind

Ready = Callable[[], bool]


class _Quiet(uvicorn.Server):
    """A uvicorn that leaves signals to the runtime."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Does nothing: one place handles signals."""
        yield


@contextlib.asynccontextmanager
async def serve(app: Any, listen: str, **options: Any) -> AsyncIterator[uvicorn.Server]:
    """Serves an ASGI app on `listen` (host:port) while the context is open, then drains it.

    Raises:
        CannotListen: the address is taken or not ours.
    """
    taken = bind(listen)  # not by uvicorn, which would end the process from within a task
    settings: dict[str, Any] = {
        "loop": "none",
        "http": "httptools",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        # Else uvicorn believes X-Forwarded-For of whoever connects from loopback.
        "proxy_headers": False,
    }
    server = _Quiet(uvicorn.Config(app, **(settings | options)))
    task = asyncio.create_task(server.serve(sockets=[taken]))
    try:
        while not server.started:
            if task.done():
                task.result()
                break
            await asyncio.sleep(0.01)
        yield server
    finally:
        server.should_exit = True
        await task


def app(ready: Ready) -> Callable[..., Any]:
    """The ASGI app of the admin port."""

    async def answer(scope: dict[str, Any], _receive: object, send: Callable[..., Any]) -> None:
        status, kind, body = _answer(scope["path"], ready)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def _answer(path: str, ready: Ready) -> tuple[int, str, bytes]:
    match path:
        case "/healthz":
            return 200, "text/plain", b"alive\n"
        case "/readyz":
            return (200, "text/plain", b"ready\n") if ready() else (503, "text/plain", b"not ready\n")
        case "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        case _:
            return 404, "text/plain", b"not found\n"
