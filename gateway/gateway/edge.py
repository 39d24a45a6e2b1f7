"""The outermost ASGI app: one table of all routes, and an answer for everything. Lets nothing escape."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway import metrics, problems
from gateway.access_log import AccessLog
from gateway.admission import Admission
from gateway.browsers import Browsers, Respond
from gateway.delivery import Delivery
from gateway.dispatch import Table
from gateway.errors import MethodNotAllowed, Overloaded
from gateway.http import Answer, Disconnected, Header, Receive, Request, Scope, Send, Stream, safe
from gateway.limits import RateLimited
from gateway.limits.headers import rate_limit_headers
from gateway.note import Note
from gateway.settings import AdmissionSettings, CompressionSettings
from servicekit import telemetry
from servicekit.errors import AppError, Internal, Kind

Handler = Callable[[Request, Sequence[str]], Awaitable[Answer]]
"""Answers a request with the values of its path variables; raises AppError or Disconnected."""

_CLIENT_CLOSED = 499
_NO_ROUTE = "(none)"
_OPTIONS = "(options)"
_GOING_AWAY, _INTERNAL_ERROR = 1001, 1011
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

    @property
    def handshake(self) -> Target:
        """What answers the handshake of a WebSocket: 101 with the stream; or raises AppError."""

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
            return
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        request = Request.of(scope, receive, trusted_proxies=self._trusted_proxies)
        telemetry.bind(request_id=request.id)
        self._warn_of_proxy(request)
        try:
            if self._browsers is None:
                route, answer = await self._admit(request)
            else:
                route, answer = await self._browsers.serve(request, self._admit)
            if answer and answer.stream is None:
                await _send(request, answer, send)
            self._note(request, route, answer, started)
            if answer and answer.stream is not None:  # its length says nothing about how fast it was answered
                await _send(request, answer, send)
        finally:
            request.note.end()

    def _note(self, request: Request, route: str, answer: Answer | None, started: float) -> None:
        """Counts what was answered and adds its line to the log."""
        status = answer.status if answer else _CLIENT_CLOSED
        seconds = time.perf_counter() - started
        metrics.count(request.method, route, status, seconds)
        if self._access_log is not None:
            size = len(answer.body) if answer and request.method != "HEAD" else 0
            self._access_log.add(
                request.id, request.method, route, request.note, status=status, seconds=seconds, size=size
            )

    def served(self) -> set[tuple[str, str]]:
        """Method and template of every route."""
        return {(method, target.template) for method, target in self._table}

    async def drain(self) -> None:
        """Ends what would never end by itself, before the server waits for what is under way."""
        if self._streaming is not None:
            await self._streaming.drain()

    def count_unrouted(self, request_id: str, *, status: int, seconds: float, size: int) -> None:
        """Counts and logs an answer that was given below ASGI, to what is no request yet."""
        metrics.count(metrics.OTHER_METHOD, _NO_ROUTE, status, seconds)
        if self._access_log is not None:
            method = metrics.OTHER_METHOD
            self._access_log.add(
                request_id, method, _NO_ROUTE, Note(), status=status, seconds=seconds, size=size
            )

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Like a request, with a place, a span and a line of its own; the stream then holds no place."""
        started = time.perf_counter()
        if self._streaming is None:
            await send({"type": "websocket.close", "code": _GOING_AWAY})
            return
        target = self._streaming.handshake
        request = Request.of({**scope, "method": "GET"}, receive, trusted_proxies=self._trusted_proxies)
        scope["query_string"] = b""  # servers may log the address, and it holds the ticket
        telemetry.bind(request_id=request.id)
        self._warn_of_proxy(request)

        async def shake_hands(request: Request) -> tuple[str, Answer | None]:
            return target.template, await self._traced(target, request, ())

        try:
            _, answer = await self._in_place(request, shake_hands)
            self._note(request, target.template, answer, started)
            if answer is None or answer.stream is None:
                await _refuse_handshake(request, answer, send)
            else:
                await _run(answer.stream, send)
        finally:
            request.note.end()

    def _warn_of_proxy(self, request: Request) -> None:
        """Once: behind a proxy that is not trusted all clients are one place, and share the limits of one.

        A client can write the header itself, so it is a sign and no proof.
        """
        if self._trusted_proxies or self._warned or b"x-forwarded-for" not in request.headers:
            return
        self._warned = True
        _log.warning("forwarded_for_not_trusted", setting="GATEWAY_HTTP__TRUSTED_PROXIES")

    async def _admit(self, request: Request) -> tuple[str, Answer | None]:
        return await self._in_place(request, self._answer)

    async def _in_place(self, request: Request, respond: Respond) -> tuple[str, Answer | None]:
        try:
            return await self._admission.answer(request, respond)
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
        answer = await self._traced(target, request, variables)
        return target.template, target.finish(request, answer) if target.finish and answer else answer

    async def _traced(self, target: Target, request: Request, variables: Sequence[str]) -> Answer | None:
        traceparent = request.headers.get(b"traceparent", b"").decode("latin-1")
        with telemetry.server_span(f"{request.method} {target.template}", traceparent, from_outside=True):
            request.note.trace_id = (telemetry.header() or "")[3:35]
            return await self._guarded(target, request, variables)

    async def _guarded(self, target: Target, request: Request, variables: Sequence[str]) -> Answer | None:
        try:
            answer = await target.handle(request, variables)
            return await self._deliver(request, answer, compressible=target.compressible)
        except RateLimited as refusal:  # its metric tells: a flood must not fill the log, line by line
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


def _headers(request: Request, answer: Answer) -> list[Header]:
    limits = rate_limit_headers(request.note.standings)
    return [*answer.headers, *limits, (b"x-request-id", request.id.encode())]


async def _refuse_handshake(request: Request, answer: Answer | None, send: Send) -> None:
    """Answers a handshake with a problem (the ASGI extension "websocket.http.response")."""
    if answer is None:  # the client is gone
        await send({"type": "websocket.close", "code": _GOING_AWAY})
        return
    headers = _headers(request, answer)
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def _run(stream: Stream, send: Send) -> None:
    """Runs the stream of a WebSocket."""
    try:
        await stream(send)
    except Exception as error:  # noqa: BLE001  # the same edge, for another transport
        _log.exception("stream_failed", error=type(error).__name__)
        await send({"type": "websocket.close", "code": _INTERNAL_ERROR})


async def _send(request: Request, answer: Answer, send: Send) -> None:
    headers = _headers(request, answer)
    if answer.status not in _WITHOUT_LENGTH and answer.stream is None:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.stream is not None:
        await answer.stream(send)
        return
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
