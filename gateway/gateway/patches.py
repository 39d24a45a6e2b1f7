"""JSON Merge Patch (RFC 7396): what a body leaves out stays, and a null clears what can be cleared."""

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from comptoir.api.v1 import policy_pb2
from gateway.routes import EVERYTHING, UPDATE_MASK, Route
from gateway.transcoding import is_text
from servicekit.errors import Violation

_NULL = "cannot be cleared: leave it out, or give it a value"

Mask = Callable[[Any, Any, list[Violation]], None]
"""Fills a request's mask from its body, or adds what is wrong with the body's nulls."""


def masking(route: Route) -> Mask | None:
    """What fills the mask of a route's requests: the paths of all that the body says, nulls included.

    What is in the mask and not in the message was cleared (AIP-134). None for a request without a mask.
    """
    if UPDATE_MASK not in route.request.fields_by_name or route.body != EVERYTHING:
        return None

    def fill(message: Any, body: Any, violations: list[Violation]) -> None:
        if type(body) is dict:
            paths = _said(route.request, body, "", violations)
            getattr(message, UPDATE_MASK).paths.extend(
                path for path in paths if path not in route.outside_body
            )

    return fill


def takes_null(field: FieldDescriptor) -> bool:
    """Whether a body may give null for a field: to clear it in a PATCH, and as good as absent in others."""
    holder = field.containing_type
    in_patch = holder is not None and UPDATE_MASK in holder.fields_by_name
    return not in_patch or _clearable(field)


def _said(
    descriptor: Descriptor, body: dict[str, Any], pointer: str, violations: list[Violation]
) -> list[str]:
    found: list[str] = []
    for name, value in body.items():
        field = descriptor.fields_by_name.get(name)
        if field is None:
            continue  # the reader has refused it
        if value is None and not _clearable(field):
            violations.append(Violation(f"{pointer}/{name}", _NULL))
        elif type(value) is dict and field.message_type is not None and not is_text(field):
            inner = _said(field.message_type, value, f"{pointer}/{name}", violations)
            found.extend(f"{name}.{each}" for each in inner)
        else:
            found.append(name)
    return found


def _clearable(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().Extensions[policy_pb2.clearable])
