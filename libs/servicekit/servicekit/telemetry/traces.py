"""W3C trace context. The decision to keep a trace falls before the SDK: an unsampled one is only a header."""

import random
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.http.transport._urllib3 import Urllib3HTTPTransport
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from servicekit.settings import TelemetrySettings

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""Ids of zeros are none (W3C Trace Context §3.2.2.3 and §3.2.2.4)."""
_SAMPLED = 1
_EXPORT_INTERVAL_MS = 500

_header: ContextVar[str | None] = ContextVar("traceparent", default=None)


class _Tracing:
    """This process's exporter; there is none until `setup` was called with an endpoint."""

    ratio = 0.0
    tracer: trace.Tracer | None = None
    provider: TracerProvider | None = None


def setup(service: str, endpoint: str | None, ratio: float) -> None:
    """Starts to export the share `ratio` of new traces. Those that we began elsewhere follow their flag."""
    _Tracing.ratio = ratio
    if endpoint is None:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    # The default transport loads `requests`, which nothing else here needs: 4 MB in every process.
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=2, _transport=Urllib3HTTPTransport())
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_EXPORT_INTERVAL_MS))
    _Tracing.provider = provider
    _Tracing.tracer = provider.get_tracer("comptoir")


def shutdown() -> None:
    """Exports what is left."""
    if _Tracing.provider:
        _Tracing.provider.shutdown()
        _Tracing.provider = _Tracing.tracer = None


@contextmanager
def exported(service: str, settings: TelemetrySettings) -> Iterator[None]:
    """Exports traces while the context is open; at its end, what is left."""
    setup(service, settings.otlp_endpoint, settings.sample_ratio)
    try:
        yield
    finally:
        shutdown()


def header() -> str | None:
    """The traceparent to send on with the next hop."""
    return _header.get()


def sampled() -> bool:
    """Whether the running task's trace is kept."""
    current = _header.get()
    return current is not None and current.endswith("01")


@contextmanager
def server_span(
    name: str,
    traceparent: str | None,
    *,
    kind: SpanKind = SpanKind.SERVER,
    from_outside: bool = False,
    **attributes: str | int,
) -> Iterator[None]:
    """Continues the trace of `traceparent`, or starts one when it is absent or malformed.

    `from_outside`: a stranger wrote it. Its flag is a wish then, granted to the share `ratio` by chance,
    which no choice of a trace id moves: else anybody could have everything exported.
    """
    parent = _TRACEPARENT.fullmatch(traceparent or "")
    flipped = random.random() < _Tracing.ratio  # noqa: S311  # sampling is no secret
    keep = flipped
    if parent:
        wished = bool(int(parent[3], 16) & _SAMPLED)
        keep = wished and (flipped or not from_outside)
    if not keep or _Tracing.tracer is None:
        token = _header.set(_passed_on(parent, keep=keep))
        try:
            yield
        finally:
            _header.reset(token)
        return
    context = None
    if parent:
        remote = SpanContext(
            int(parent[1], 16), int(parent[2], 16), is_remote=True, trace_flags=TraceFlags(1)
        )
        context = set_span_in_context(NonRecordingSpan(remote))
    with _recorded(_Tracing.tracer, name, kind, attributes, context):
        yield


def _passed_on(parent: re.Match[str] | None, *, keep: bool) -> str:
    """The header of a trace to which this process adds nothing: the next ones decide as it did."""
    if parent is None:
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
    return parent[0] if keep else f"00-{parent[1]}-{parent[2]}-00"


@contextmanager
def span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> Iterator[None]:
    """A child span of a kept trace; nothing at all otherwise."""
    if _Tracing.tracer is None or not sampled():
        yield
        return
    with _recorded(_Tracing.tracer, name, kind, attributes, None):
        yield


@contextmanager
def _recorded(
    tracer: trace.Tracer,
    name: str,
    kind: SpanKind,
    attributes: dict[str, str | int],
    context: Context | None,
) -> Iterator[None]:
    with tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        ids = current.get_span_context()
        token = _header.set(f"00-{ids.trace_id:032x}-{ids.span_id:016x}-01")
        try:
            yield
        except BaseException as error:  # a call that was cancelled shows as one, too
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            _header.reset(token)
