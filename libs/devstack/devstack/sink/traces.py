"""The latest spans by trace, in memory and bounded: newer traces push out older ones."""

import gzip
import io
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

_MAX_SPANS = 50_000
_MAX_REQUEST_BYTES = 32_000_000

_Received: TypeAlias = tuple[str, Span]
"""The service, and what it sent."""


class TooLarge(Exception):
    """A request that unpacks to more than the sink takes."""


class TraceStore:
    """Spans by trace id. They are turned into JSON when somebody looks: most are never looked at."""

    def __init__(self, *, max_spans: int = _MAX_SPANS) -> None:
        """Whole traces are dropped, oldest first, when there are more than `max_spans`."""
        self._max_spans = max_spans
        self._traces: OrderedDict[bytes, dict[bytes, _Received]] = OrderedDict()
        self._count = 0

    def add(self, request: ExportTraceServiceRequest) -> None:
        """Takes an export; a span that was sent twice is kept once."""
        for resource_spans in request.resource_spans:
            service = str(_attributes(resource_spans.resource.attributes).get("service.name", "unknown"))
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    spans = self._traces.setdefault(span.trace_id, {})
                    self._count += span.span_id not in spans
                    spans[span.span_id] = (service, span)
        while self._count > self._max_spans and len(self._traces) > 1:
            _, dropped = self._traces.popitem(last=False)
            self._count -= len(dropped)

    def get_trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace by start, as JSON; empty when unknown."""
        try:
            found = self._traces.get(bytes.fromhex(trace_id), {})
        except ValueError:
            return []
        return _shown(found.values())

    def list_traces(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest traces, newest first."""
        latest = list(self._traces.items())[-limit:]
        return [_overview(trace_id.hex(), _shown(spans.values())) for trace_id, spans in latest][::-1]


def decode_request(body: bytes, *, gzipped: bool) -> ExportTraceServiceRequest:
    """Unpacks and parses an export.

    Raises:
        TooLarge: it unpacks to more than the sink takes.
        OSError: broken gzip; EOFError too.
        DecodeError: not that protobuf message.
    """
    if gzipped:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            body = packed.read(_MAX_REQUEST_BYTES + 1)
    if len(body) > _MAX_REQUEST_BYTES:
        raise TooLarge
    return ExportTraceServiceRequest.FromString(body)


def _shown(received: Iterable[_Received]) -> list[dict[str, Any]]:
    """Spans as JSON, by start."""
    spans = (_as_json(span, service=service) for service, span in received)
    return sorted(spans, key=lambda span: span["start"])


def _overview(trace_id: str, ordered: Sequence[dict[str, Any]]) -> dict[str, Any]:
    root = next((span for span in ordered if not span["parent"]), ordered[0])
    return {
        "trace_id": trace_id,
        "name": root["name"],
        "start": root["start"],
        "duration": root["duration"],
        "services": sorted({span["service"] for span in ordered}),
        "spans": len(ordered),
    }


def _as_json(span: Span, *, service: str) -> dict[str, Any]:
    return {
        "span_id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "name": span.name,
        "service": service,
        "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        "start": span.start_time_unix_nano / 1e9,
        "duration": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        "attributes": _attributes(span.attributes),
        "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower(),
        "status_message": span.status.message,
        "links": [link.trace_id.hex() for link in span.links],
    }


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case None:
            return None
        case kind:
            return getattr(value, kind)
