"""The outermost ASGI app: one table of all routes, and an answer for everything. Lets nothing escape."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway import metrics, problems
from gateway.access_log import AccessLog
from gateway.admission import Admission
from gateway.browsers import Browsers
from gateway.delivery import Delivery
from gateway.dispatch import Table
from gateway.errors import MethodNotAllowed, Overloaded
from gateway.http import Answer, Disconnected, Receive, Request, Scope, Send, safe
from gateway.limits import RateLimited
from gateway.limits.headers import rate_limit_headers
from gateway.settings import AdmissionSettings, CompressionSettings
from servicekit import telemetry
from servicekit.errors import AppError, Internal, Kind

Handler = Callable[[Request, Sequence[str]], Awaitable[Answer]]
"""Answers a request with the values of its path variables; raises AppError or Disconnected."""

_CLIENT_CLOSED = 499
_NO_ROUTE = "(none)"
_OPTIONS = "(options)"
_GOING_AWAY, _INTERNAL_ERROR = 1001, 1011
_SWITCHED = 101
_WITHOUT_LENGTH = (204, 304)
"""A 304 has no body; a length of 0 would be said of the copy that the client has (RFC 9110 §8.6)."""
_TOLD = {Kind.UNAUTHENTICATED, Kind.DENIED, Kind.EXHAUSTED}
"""Refusals that somebody who investigates wants to find (ASVS 5.0 16.3.1 and 16.3.2)."""
_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """What stands behind a route."""

    template: str
    """The name of the route in traces and metrics."""
    handle: Handler
    compressible: bool = True
    """False where answers may hold secrets next to what was sent: their length would tell them (BREACH)."""
    finish: Callable[[Request, Answer], Answer] | None = None
    """Adds to every answer, be it a refusal; never raises."""


class Streaming(Protocol):
    """What serves connections that stay open."""

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serves a WebSocket to its end; answers the status of its handshake."""

    async def drain(self) -> None:
        """Ends all streams."""


class Edge:
    """Serves HTTP. Nothing raises out of it, and no text of a defect leaves it."""

    def __init__(
        self,
        table: Table[Target],
        *,
        trusted_proxies: int = 0,
        access_log: AccessLog | None = None,
        browsers: Browsers | None = None,
        admission: Admission | None = None,
        delivery: Delivery | None = None,
        streaming: Streaming | None = None,
    ) -> None:
        self._table = table
        self._access_log = access_log
        self._browsers = browsers
        self._admission = admission or Admission(AdmissionSettings())
        self._deliver = delivery or Delivery(CompressionSettings())
        self._streaming = streaming
        self._trusted_proxies = trusted_proxies
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        request = Request.of(scope, receive, trusted_proxies=self._trusted_proxies)
        telemetry.bind(request_id=request.id)
        self._warn_of_proxy(request)
        if self._browsers is None:
            route, answer = await self._admit(request)
        else:
            route, answer = await self._browsers.serve(request, self._admit)
        status = answer.status if answer else _CLIENT_CLOSED
        if answer and answer.stream is None:
            await _send(request, answer, send)
        seconds = time.perf_counter() - started
        metrics.count(request.method, route, status, seconds)
        if self._access_log is not None:
            size = len(answer.body) if answer and request.method != "HEAD" else 0
            self._access_log.add(
                request.id, request.method, route, request.note, status=status, seconds=seconds, size=size
            )
        if answer and answer.stream is not None:  # its length says nothing about how fast it was answered
            await _send(request, answer, send)

    def served(self) -> set[tuple[str, str]]:
        """Method and template of every route."""
        return {(method, target.template) for method, target in self._table}

    async def drain(self) -> None:
        """Ends what would never end by itself, before the server waits for what is under way."""
        if self._streaming is not None:
            await self._streaming.drain()

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        if self._streaming is None:
            await send({"type": "websocket.close", "code": _GOING_AWAY})
            return
        try:
            status = await self._streaming.websocket(scope, receive, send)
            if status != _SWITCHED:
                metrics.count("GET", scope["path"], status, time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001  # the same edge, for another transport
            _log.exception("stream_failed", error=type(error).__name__)
            await send({"type": "websocket.close", "code": _INTERNAL_ERROR})

    def _warn_of_proxy(self, request: Request) -> None:
        """Once: behind a proxy that is not trusted all clients are one place, and share the limits of one.

        A client can write the header itself, so it is a sign and no proof.
        """
        if self._trusted_proxies or self._warned or b"x-forwarded-for" not in request.headers:
            return
        self._warned = True
        _log.warning("forwarded_for_not_trusted", setting="GATEWAY_HTTP__TRUSTED_PROXIES")

    async def _admit(self, request: Request) -> tuple[str, Answer | None]:
        try:
            return await self._admission.answer(request, self._answer)
        except Overloaded as refusal:
            return _NO_ROUTE, problems.answer(refusal, request.id)

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
            request.note.trace_id = (telemetry.header() or "")[3:35]
            answer = await self._guarded(target, request, variables)
        return target.template, target.finish(request, answer) if target.finish and answer else answer

    async def _guarded(self, target: Target, request: Request, variables: Sequence[str]) -> Answer | None:
        try:
            answer = await target.handle(request, variables)
            return await self._deliver(request, answer, compressible=target.compressible)
        except RateLimited as refusal:  # its metric tells: a flood must not fill the log, line by line
            request.note.standings += refusal.standings
            return problems.answer(refusal, request.id)
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
    limits = rate_limit_headers(request.note.standings)
    headers = [*answer.headers, *limits, (b"x-request-id", request.id.encode())]
    if answer.status not in _WITHOUT_LENGTH and answer.stream is None:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.stream is not None:
        await answer.stream(send)
        return
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
