"""buf.validate rules → JSON Schema keywords. A rule that cannot be shown is refused, never left out."""

from collections.abc import Callable
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.values import ContractUnsupported

_DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_TEXT: dict[str, Callable[[Any], dict[str, Any]]] = {
    "min_len": lambda value: {"minLength": value},
    "max_len": lambda value: {"maxLength": value},
    "len": lambda value: {"minLength": value, "maxLength": value},
    "pattern": lambda value: {"pattern": value} | ({"format": "date"} if value == _DATE else {}),
    "email": lambda _: {"format": "email"},
    "uri": lambda _: {"format": "uri"},
    "uuid": lambda _: {"format": "uuid"},
    "in": lambda values: {"enum": list(values)},
}
_NUMBER: dict[str, Callable[[Any], dict[str, Any]]] = {
    "gte": lambda value: {"minimum": value},
    "gt": lambda value: {"exclusiveMinimum": value},
    "lte": lambda value: {"maximum": value},
    "lt": lambda value: {"exclusiveMaximum": value},
    "in": lambda values: {"enum": list(values)},
}
_LIST: dict[str, Callable[[Any], dict[str, Any]]] = {
    "min_items": lambda value: {"minItems": value},
    "max_items": lambda value: {"maxItems": value},
    "unique": lambda value: {"uniqueItems": value},
}
# Enums have words for defined values only, and none for zero, so these rules hold by themselves.
_ENUM: dict[str, Callable[[Any], dict[str, Any]]] = {"defined_only": lambda _: {}, "not_in": lambda _: {}}
_BYTES: dict[str, Callable[[Any], dict[str, Any]]] = {}


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The rules of a field; empty ones when it has none."""
    found: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return found


def keywords(rules: validate_pb2.FieldRules, name: str) -> dict[str, Any]:
    """The keywords that say what the rules of one value say.

    Raises:
        ContractUnsupported: a rule has no keyword here; `name` says where.
    """
    kind = rules.WhichOneof("type")
    if rules.cel or kind is None:
        if rules.cel:
            raise ContractUnsupported(f"{name}: cel rules cannot be shown in OpenAPI")
        return {}
    table = {"string": _TEXT, "repeated": _LIST, "enum": _ENUM, "bytes": _BYTES}.get(kind, _NUMBER)
    found: dict[str, Any] = {}
    for rule, value in getattr(rules, kind).ListFields():
        if kind == "repeated" and rule.name == "items":
            continue
        if rule.name not in table:
            raise ContractUnsupported(f"{name}: the rule {kind}.{rule.name} cannot be shown in OpenAPI")
        found |= table[rule.name](value)
    if kind == "enum" and list(rules.enum.not_in) not in ([], [0]):
        raise ContractUnsupported(f"{name}: the rule enum.not_in cannot be shown in OpenAPI")
    return found


def required(descriptor: Descriptor) -> set[str]:
    """The fields whose absence breaks a rule: exactly what the validator says about an empty message."""
    empty = message_factory.GetMessageClass(descriptor)()
    violations = protovalidate.collect_violations(empty)
    return {
        violation.proto.field.elements[0].field_name
        for violation in violations
        if violation.proto.field is not None and violation.proto.field.elements
    }
