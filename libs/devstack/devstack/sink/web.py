"""The HTTP side: a page for people, JSON for tests, and the OTLP receiver; for loopback names only."""

import base64
from json import JSONDecodeError
from pathlib import Path

from google.protobuf.message import DecodeError
from jinja2 import Environment, FileSystemLoader
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import StatelessLifespan

from devstack.sink.mails import MailBox
from devstack.sink.smtp import Postmaster, SmtpFault
from devstack.sink.traces import TooLarge, TraceStore, decode_request

_PROTOBUF = "application/x-protobuf"
# A mail is foreign content: no scripts, no requests to its sender.
_MAIL_POLICY = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_pages = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True)


class Web:
    """Routes over the three stores of the sink."""

    def __init__(self, mails: MailBox, traces: TraceStore, postmaster: Postmaster) -> None:
        self._mails = mails
        self._traces = traces
        self._postmaster = postmaster

    def app(self, lifespan: StatelessLifespan[Starlette]) -> Starlette:
        """The ASGI application; `lifespan` opens SMTP."""
        routes = [
            Route("/", self.list_page),
            Route("/healthz", self.healthz),
            Route("/mails", self.list_mails, methods=["GET"]),
            Route("/mails", self.delete_mails, methods=["DELETE"]),
            Route("/mails/{mail_id}", self.get_mail),
            Route("/mails/{mail_id}/page", self.mail_page),
            Route("/mails/{mail_id}/html", self.mail_html),
            Route("/mails/{mail_id}/raw", self.mail_raw),
            Route("/mails/{mail_id}/attachments/{number:int}", self.attachment),
            Route("/faults", self.set_faults, methods=["POST"]),
            Route("/v1/traces", self.receive_traces, methods=["POST"]),
            Route("/traces", self.list_traces),
            Route("/traces/{trace_id}", self.get_trace),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        return Starlette(routes=routes, middleware=[hosts], lifespan=lifespan)

    async def healthz(self, _: Request) -> Response:
        """200 once SMTP listens too."""
        return PlainTextResponse("ok\n")

    async def list_page(self, request: Request) -> Response:
        """The mails for people."""
        mails = self._mails.list_mails(to=request.query_params.get("to"))
        return HTMLResponse(
            _pages.get_template("mails.html").render(mails=mails, fault=self._postmaster.fault)
        )

    async def mail_page(self, request: Request) -> Response:
        """One mail for people."""
        mail = self._mails.get_mail(request.path_params["mail_id"])
        if mail is None:
            return _not_found()
        return HTMLResponse(_pages.get_template("mail.html").render(mail=mail))

    async def list_mails(self, request: Request) -> Response:
        """Newest first, `?to=` an address."""
        found = self._mails.list_mails(to=request.query_params.get("to"))
        return JSONResponse([mail.summary() for mail in found])

    async def get_mail(self, request: Request) -> Response:
        """One mail, parsed."""
        mail = self._mails.get_mail(request.path_params["mail_id"])
        return _not_found() if mail is None else JSONResponse(mail)

    async def delete_mails(self, _: Request) -> Response:
        """Forgets all mails."""
        return JSONResponse({"deleted": self._mails.clear()})

    async def mail_html(self, request: Request) -> Response:
        """The HTML part, locked up."""
        mail = self._mails.get_mail(request.path_params["mail_id"])
        if mail is None or mail["html"] is None:
            return _not_found()
        return HTMLResponse(mail["html"], headers={"Content-Security-Policy": _MAIL_POLICY})

    async def mail_raw(self, request: Request) -> Response:
        """The mail as it came, with the envelope in front."""
        raw = self._mails.get_raw(request.path_params["mail_id"])
        return _not_found() if raw is None else PlainTextResponse(raw)

    async def attachment(self, request: Request) -> Response:
        """One attachment as a download, counted from 0."""
        mail = self._mails.get_mail(request.path_params["mail_id"])
        number = request.path_params["number"]
        if mail is None or number >= len(mail["attachments"]):
            return _not_found()
        content = base64.b64decode(mail["attachments"][number]["content"])
        return Response(
            content,
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="attachment-{number}"'},
        )

    async def set_faults(self, request: Request) -> Response:
        """`{"smtp": "451" | "550" | "off"}`."""
        try:
            self._postmaster.fault = SmtpFault((await request.json())["smtp"])
        except (JSONDecodeError, KeyError, TypeError, ValueError):
            return JSONResponse({"error": 'expected {"smtp": "451" | "550" | "off"}'}, status_code=422)
        return JSONResponse({"smtp": self._postmaster.fault, "refused": self._postmaster.refused})

    async def receive_traces(self, request: Request) -> Response:
        """OTLP/HTTP in protobuf, gzipped or not."""
        if request.headers.get("content-type", "").split(";")[0] != _PROTOBUF:
            return JSONResponse({"error": f"only {_PROTOBUF}"}, status_code=415)
        gzipped = request.headers.get("content-encoding") == "gzip"
        try:
            self._traces.add(decode_request(await request.body(), gzipped=gzipped))
        except TooLarge:
            return JSONResponse({"error": "too large"}, status_code=413)
        except (DecodeError, OSError, EOFError):
            return JSONResponse({"error": "not an OTLP export"}, status_code=400)
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type=_PROTOBUF)

    async def list_traces(self, _: Request) -> Response:
        """The latest traces, newest first."""
        return JSONResponse(self._traces.list_traces())

    async def get_trace(self, request: Request) -> Response:
        """The spans of one trace by start; 404 when none arrived."""
        spans = self._traces.get_trace(request.path_params["trace_id"])
        return JSONResponse(spans) if spans else _not_found()


def _not_found() -> Response:
    return JSONResponse({"error": "not found"}, status_code=404)
