"""Documents that are rendered from the contract and the code, by path."""

from collections.abc import Callable
from types import MappingProxyType

from google.protobuf.descriptor import FieldDescriptor

from gateway.openapi.comments import comment
from servicekit import contract, topics
from tools.codegen import openapi, permissions, reasons

_SCALARS = MappingProxyType(
    {
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_BYTES: "bytes",
        FieldDescriptor.TYPE_BOOL: "bool",
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
        FieldDescriptor.TYPE_SINT32: "int32",
        FieldDescriptor.TYPE_ENUM: "enum",
    }
)


def render_events() -> str:
    """docs/events.md: every event with its topic, followers and fields."""
    lines = [
        "# Events",
        "",
        "Generated from `proto/` by `make generate`. Kafka key: the aggregate's id (16 bytes). Value: the",
        "protobuf message. Headers: CloudEvents 1.0 (`ce_id`, `ce_type`, `ce_source`, `ce_time`,",
        "`ce_subject`, `ce_organizationid`) and `traceparent`. Delivery is at least once, in order per key;",
        "`ce_id` tells a repetition. What a follower cannot handle goes to `<topic>.dlq`.",
    ]
    for topic, followers in topics.SUBSCRIBERS.items():
        lines += ["", f"## `{topic}`", "", f"Followed by: {', '.join(followers)}."]
        for event in contract.events().values():
            if event.topic == topic:
                lines += _event(event)
    return "\n".join(lines) + "\n"


def _event(event: contract.EventType) -> list[str]:
    said = comment(event.name)
    told = f" Partners see it as `{event.rules.webhook}`." if event.rules.webhook else ""
    lines = ["", f"### {event.descriptor.name}", "", f"{said} Key: the {event.rules.aggregate}.{told}", ""]
    lines += ["| field | type | meaning |", "|---|---|---|"]
    for field in event.descriptor.fields:
        kind = field.message_type.name if field.message_type else _SCALARS[field.type]
        lines.append(f"| `{field.name}` | {kind} | {comment(field.full_name)} |")
    return lines


def render_errors() -> str:
    """docs/errors.md: every reason that a caller can meet."""
    lines = [
        "# Errors",
        "",
        "Generated from the code by `make generate`. Every error is `application/problem+json` (RFC 9457)",
        "and has a stable `reason`; branch on it, never on the text. `errors` lists fields by JSON Pointer,",
        "never their values.",
        "",
        "| reason | status | what the caller reads | when |",
        "|---|---|---|---|",
    ]
    for error in reasons.catalogue():
        when = " ".join((error.__doc__ or "").split("\n\n")[0].split())
        lines.append(f"| `{error.reason}` | {error.kind.http_status} | {error.detail} | {when} |")
    return "\n".join(lines) + "\n"


DOCUMENTS: MappingProxyType[str, Callable[[], str]] = MappingProxyType(
    {
        "docs/events.md": render_events,
        "docs/errors.md": render_errors,
        "docs/openapi.json": openapi.render,
        "gateway/gateway/openapi/openapi.json": openapi.render_shipped,
        "docs/permissions.md": permissions.render,
    }
)
