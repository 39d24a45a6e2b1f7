"""HTTP/1.1 on the wire: uvicorn's protocol with bounded headers, and problem+json for broken requests."""

import asyncio
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import problems
from gateway.errors import HeadersTooLarge, MalformedRequest, RequestTimeout
from gateway.live import upgrading
from gateway.settings import LimitSettings
from servicekit import ids


def protocol(limits: LimitSettings) -> type[HttpToolsProtocol]:
    """The protocol class for uvicorn."""
    return type("LimitedWire", (Wire,), {"limits": limits})


class Wire(HttpToolsProtocol):
    """One connection. Headers that are too large or too slow end it; neither is limited by uvicorn itself.

    An offer to upgrade is ignored (RFC 9110 §7.8), but for a WebSocket's at the stream: Java's client and
    `curl --http2` make one with each call.
    After such headers the parser expects another protocol and would take the body for the next request; so it
    is given them again without the offer.
    """

    limits = LimitSettings()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reading_headers = True
        self._unfinished = 0
        self._named = 0
        self._offered = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there and must say something soon."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what has come of headers that are not complete yet."""
        if self._reading_headers:
            self._start_timer()
        self._unfinished += len(data)
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        if not self._reading_headers:
            self._unfinished = 0
        elif self._unfinished > self.limits.header_bytes and not self.transport.is_closing():
            self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._named = 0
        self._offered = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header more, or a trailer: counted, and never taken for a header (RFC 9110 §6.5.1).

        Proxies overwrite headers that say who calls from where, and may pass trailers on as they are.
        Raising here makes the parser give up, and `send_400_response` answer.
        """
        self._named += len(name) + len(value)
        if self._named > self.limits.header_bytes:
            raise HeadersTooLarge
        if self._reading_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The headers are there. A request must name its host, once (RFC 9112 §3.2)."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise MalformedRequest
        self._offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._offered:
            return
        if upgrading.is_stream(self.url):
            upgrading.notice_dead_peers(self.transport)
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

    def _takes_websocket(self) -> bool:
        idle = self.cycle is None or self.cycle.response_complete
        wanted = upgrading.wants_websocket(self.parser.get_method(), self.url, self.headers)
        return idle and wanted and self.ws_protocol_class is not None

    def _become_websocket(self, rest: memoryview) -> None:
        """Hands the connection over, with the handshake and what came after it."""
        self._stop_timer()
        self._reading_headers = False
        self.connections.discard(self)
        upgrading.notice_dead_peers(self.transport)
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

    def _refuse(self, refusal: HeadersTooLarge | MalformedRequest | RequestTimeout) -> None:
        answer = problems.answer(refusal, str(ids.new()))
        status = HTTPStatus(answer.status)
        lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
        lines += [b"%s: %s" % header for header in answer.headers]
        lines += [b"content-length: %d" % len(answer.body), b"connection: close", b"", answer.body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.limits.header_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._unfinished:
            self._refuse(RequestTimeout())
        else:
            self.transport.close()
