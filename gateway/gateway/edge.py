"""The outermost ASGI app: one table of all routes, and an answer for everything. Lets nothing escape."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway import metrics, problems
from gateway.dispatch import Table
from gateway.errors import MethodNotAllowed
from gateway.http import Answer, Disconnected, Receive, Request, Scope, Send, safe
from servicekit import telemetry
from servicekit.errors import AppError, Internal, Kind

Handler = Callable[[Request, Sequence[str]], Awaitable[Answer]]
"""Answers a request with the values of its path variables; raises AppError or Disconnected."""

_CLIENT_CLOSED = 499
_NO_ROUTE = "(none)"
_OPTIONS = "(options)"
_GOING_AWAY = 1001
_TOLD = {Kind.UNAUTHENTICATED, Kind.DENIED, Kind.EXHAUSTED}
"""Refusals that somebody who investigates wants to find (ASVS 5.0 16.3.1 and 16.3.2)."""
_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """What stands behind a route."""

    template: str
    """The name of the route in traces and metrics."""
    handle: Handler
    finish: Callable[[Request, Answer], Answer] | None = None
    """Adds to every answer, be it a refusal; never raises."""


class Edge:
    """Serves HTTP. Nothing raises out of it, and no text of a defect leaves it."""

    def __init__(self, table: Table[Target], *, trusted_proxies: int = 0) -> None:
        self._table = table
        self._trusted_proxies = trusted_proxies
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _GOING_AWAY})
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        request = Request.of(scope, receive, trusted_proxies=self._trusted_proxies)
        telemetry.bind(request_id=request.id)
        self._warn_of_proxy(request)
        route, answer = await self._answer(request)
        status = answer.status if answer else _CLIENT_CLOSED
        if answer:
            await _send(request, answer, send)
        metrics.count(request.method, route, status, time.perf_counter() - started)

    def _warn_of_proxy(self, request: Request) -> None:
        """Once: behind a proxy that is not trusted all clients are one place, and share the limits of one.

        A client can write the header itself, so it is a sign and no proof.
        """
        if self._trusted_proxies or self._warned or b"x-forwarded-for" not in request.headers:
            return
        self._warned = True
        _log.warning("forwarded_for_not_trusted", setting="GATEWAY_HTTP__TRUSTED_PROXIES")

    async def _answer(self, request: Request) -> tuple[str, Answer | None]:
        """The route's name and the answer; no answer when the client is gone."""
        try:
            target, variables = self._table.find(request.method, request.path)
        except MethodNotAllowed as refusal:
            if request.method == "OPTIONS":
                return _OPTIONS, Answer(204, safe([(b"allow", refusal.allow.encode())]))
            return _NO_ROUTE, problems.answer(refusal, request.id)
        except AppError as refusal:
            return _NO_ROUTE, problems.answer(refusal, request.id)
        traceparent = request.headers.get(b"traceparent", b"").decode("latin-1")
        with telemetry.server_span(f"{request.method} {target.template}", traceparent):
            answer = await _guarded(target, request, variables)
        return target.template, target.finish(request, answer) if target.finish and answer else answer


async def _guarded(target: Target, request: Request, variables: Sequence[str]) -> Answer | None:
    try:
        return await target.handle(request, variables)
    except AppError as refusal:
        if refusal.kind in _TOLD:
            _log.info("request_refused", route=target.template, reason=refusal.reason)
        return problems.answer(refusal, request.id)
    except Disconnected:
        return None
    except Exception as error:  # noqa: BLE001  # the edge of HTTP: whatever else happens is a 500 without its text
        _log.exception("request_failed", route=target.template, error=type(error).__name__)
        return problems.answer(Internal(), request.id)


async def _send(request: Request, answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"x-request-id", request.id.encode())]
    if answer.status != 204:  # noqa: PLR2004
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
