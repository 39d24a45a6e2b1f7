"""HTTP/1.1 on the wire: uvicorn's protocol with bounds, and problem+json for broken requests."""

import asyncio
from http import HTTPStatus
from typing import Any, Protocol

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway import metrics, problems
from gateway.errors import HeadersTooLarge, MalformedRequest, Overloaded, RequestTimeout
from gateway.live import upgrading
from gateway.settings import LimitSettings
from servicekit import ids

_LEAST_SENT = 64 * 1024
_HALF_SENT = metrics.CUT_OFF.labels("half_sent")
_NOT_READING = metrics.CUT_OFF.labels("not_reading")


class Tell(Protocol):
    """Takes note of an answer that the wire gave by itself."""

    def __call__(self, request_id: str, *, status: int, seconds: float, size: int) -> None:
        """Counts it; never raises."""


def protocol(limits: LimitSettings, tell: Tell) -> type[HttpToolsProtocol]:
    """The protocol class for uvicorn."""
    return type("LimitedWire", (Wire,), {"limits": limits, "tell": staticmethod(tell)})


class Wire(HttpToolsProtocol):
    """One connection. Whatever its client owes has its time and its size; uvicorn itself limits none of it.

    Unless a request is being answered, which has limits of its own, a timer runs: for headers, for a body
    that nobody reads any more, or uvicorn's for the next request. A stream bounds its reader by itself.

    An offer to upgrade is ignored (RFC 9110 §7.8), but for a WebSocket's at the stream: Java's client and
    `curl --http2` make one with each call.
    After such headers the parser expects another protocol and would take the body for the next request; so it
    is given them again without the offer.
    """

    limits: LimitSettings
    tell: Tell

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reading_headers = True
        self._unfinished = 0
        self._named = 0
        self._offered = False
        self._began: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._unsent = 0
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there and must say something soon, unless there are too many."""
        super().connection_made(transport)
        metrics.CONNECTIONS.set(len(self.connections))
        if len(self.connections) > self.limits.connections:
            self._refuse(Overloaded())
            return
        upgrading.notice_dead_peers(transport)
        self._timer = self.loop.call_later(self.limits.header_seconds, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_timer()
        self._stop_sending()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        metrics.CONNECTIONS.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        """Counts what has come of headers that are not complete yet."""
        self._unfinished += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        if not self._reading_headers:
            self._unfinished = 0
        elif self._unfinished > self.limits.header_bytes and not self.transport.is_closing():
            self._refuse(HeadersTooLarge())
        self._await_rest()

    def pause_writing(self) -> None:
        """The client does not take what it asked for."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """It took nearly all."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_sending()

    def on_response_complete(self) -> None:
        """A request is answered, perhaps before it was read."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()
        self._await_rest()

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        self._close()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._unset_keepalive_if_required()
        self._began = self.loop.time()
        self._named = 0
        self._offered = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the target, which counts like a header."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header more, or a trailer: counted, and never taken for a header (RFC 9110 §6.5.1).

        Proxies overwrite headers that say who calls from where, and may pass trailers on as they are.
        Raising here makes the parser give up, and `send_400_response` answer.
        """
        self._count(len(name) + len(value))
        if self._reading_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The headers are there. A request must name its host, once (RFC 9112 §3.2)."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise MalformedRequest
        self._offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        self._unset_keepalive_if_required()  # the answer before may have started it again
        if self._offered:
            return
        if upgrading.is_stream(self.url):
            self.scope[upgrading.ABORT] = self.transport.abort  # type: ignore[literal-required]
        self._reading_headers = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next bytes begin another request."""
        if self._offered:
            return
        self._reading_headers = True
        self._unfinished = 0
        self._began = None
        self._stop_timer()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # its text is for logs
        """What uvicorn calls when the parser gives up."""
        too_large = self._named > self.limits.header_bytes
        self._refuse(HeadersTooLarge() if too_large else MalformedRequest())

    def _feed(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as paused:
                if not self._offered:
                    return  # CONNECT: what follows is meant for a tunnel that nobody opened
                rest = rest[paused.args[0] :]
                if self._takes_websocket():
                    self._become_websocket(rest)
                    return
                head = self._head_without_offer()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
                self.parser.feed_data(head)
            else:
                return

    def _should_upgrade(self) -> bool:
        return False  # uvicorn would neither hand over nor answer: what it sees is no handshake of ours

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _takes_websocket(self) -> bool:
        wanted = upgrading.wants_websocket(self.parser.get_method(), self.url, self.headers)
        return self._idle() and wanted and self.ws_protocol_class is not None

    def _become_websocket(self, rest: memoryview) -> None:
        """Hands the connection over, with the handshake and what came after it."""
        self._stop_timer()
        self._stop_sending()
        self._began = None
        self._reading_headers = False
        self.connections.discard(self)
        make: Any = self.ws_protocol_class
        successor = make(config=self.config, server_state=self.server_state, app_state=self.app_state)
        successor.connection_made(self.transport)
        self.transport.set_protocol(successor)
        successor.data_received(self._head() + bytes(rest))

    def _head_without_offer(self) -> bytes:
        return self._head(leaving_out=b"upgrade")

    def _head(self, *, leaving_out: bytes = b"") -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != leaving_out]
        return b"\r\n".join([*lines, b"", b""])

    def _count(self, size: int) -> None:
        self._named += size
        if self._named > self.limits.header_bytes:
            raise HeadersTooLarge

    def _refuse(self, refusal: HeadersTooLarge | MalformedRequest | Overloaded | RequestTimeout) -> None:
        request_id = str(ids.new())
        answer = problems.answer(refusal, request_id)
        status = HTTPStatus(answer.status)
        lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
        lines += [b"%s: %s" % header for header in answer.headers]
        lines += [b"content-length: %d" % len(answer.body), b"connection: close", b"", answer.body]
        self.transport.write(b"\r\n".join(lines))
        self._close()
        seconds = self.loop.time() - self._began if self._began is not None else 0.0
        self.tell(request_id, status=status, seconds=seconds, size=len(answer.body))

    def _await_rest(self) -> None:
        """Gives a request that has begun its time, unless one is being answered."""
        if self._began is None or self._timer is not None or not self._idle() or self.transport.is_closing():
            return
        limits = self.limits
        seconds = limits.header_seconds if self._reading_headers else limits.body_seconds
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self._reading_headers:
            _HALF_SENT.inc()
            self._close()
        elif self._began is not None:
            self._refuse(RequestTimeout())
        else:
            self._close()

    def _close(self) -> None:
        self.transport.close()
        self._watch_reader()

    def _watch_reader(self) -> None:
        """Begins when writing pauses, or the connection closes with something unsent."""
        unsent = self.transport.get_write_buffer_size()
        if unsent and self._sending is None:
            self._unsent = unsent
            self._sending = self.loop.call_later(self.limits.send_seconds, self._look_at_reader)

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _look_at_reader(self) -> None:
        self._sending = None
        taken = self._unsent - self.transport.get_write_buffer_size()
        answering = self._answering
        # An answer without a length is a stream.
        streaming = answering is not None and answering.chunked_encoding and not answering.response_complete
        if taken >= _LEAST_SENT or streaming:
            self._watch_reader()
        else:
            _NOT_READING.inc()
            self.transport.abort()
