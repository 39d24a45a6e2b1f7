"""buf.validate rules → JSON Schema keywords. A rule that cannot be shown is refused, never left out."""

import re
from collections.abc import Callable
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.values import ContractUnsupported

_OUR_RULE = re.compile(r"this\.matches\(r'(.*)'\)", re.DOTALL)
_UNSEEN = re.compile("[^ -~]")
_FORMATS = {"day": "date", "web_address": "uri"}
"""Formats (JSON Schema validation §7.3) beside the pattern of our own rules, where services refuse what
breaks them. None for mailboxes: "email" bounds parts of an address, and the pattern says exactly what is
taken."""

_TEXT: dict[str, Callable[[Any], dict[str, Any]]] = {
    "min_len": lambda value: {"minLength": value},
    "max_len": lambda value: {"maxLength": value},
    "len": lambda value: {"minLength": value, "maxLength": value},
    "pattern": lambda value: {"pattern": value},
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
        shown = _ours(rule) if rule.is_extension else table.get(rule.name, _nothing)(value)
        if shown is None or not found.keys().isdisjoint(shown):
            raise ContractUnsupported(f"{name}: the rule {kind}.{rule.name} cannot be shown in OpenAPI")
        found |= shown
    if kind == "enum" and list(rules.enum.not_in) not in ([], [0]):
        raise ContractUnsupported(f"{name}: the rule enum.not_in cannot be shown in OpenAPI")
    if not rules.ignore:
        return found
    if kind != "string" or rules.ignore != validate_pb2.IGNORE_IF_ZERO_VALUE:
        raise ContractUnsupported(f"{name}: the rule ignore cannot be shown in OpenAPI")
    return {"anyOf": [{"maxLength": 0}, found]}


def _nothing(_: object) -> None:
    return None


def _ours(rule: FieldDescriptor) -> dict[str, Any] | None:
    """The keywords of a rule of comptoir/api/v1/rules.proto; None when it is more than one pattern."""
    expressions = rule.GetOptions().Extensions[validate_pb2.predefined].cel
    found = _OUR_RULE.fullmatch(expressions[0].expression) if len(expressions) == 1 else None
    if found is None:
        return None
    pattern = _UNSEEN.sub(lambda character: f"\\u{ord(character[0]):04x}", found[1])
    return {"pattern": pattern} | ({"format": _FORMATS[rule.name]} if rule.name in _FORMATS else {})


def required(descriptor: Descriptor) -> set[str]:
    """The fields whose absence breaks a rule: exactly what the validator says about an empty message."""
    empty = message_factory.GetMessageClass(descriptor)()
    violations = protovalidate.collect_violations(empty)
    return {
        violation.proto.field.elements[0].field_name
        for violation in violations
        if violation.proto.field is not None and violation.proto.field.elements
    }
