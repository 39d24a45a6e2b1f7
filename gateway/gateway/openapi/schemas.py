"""Messages → JSON Schemas (draft 2020-12), exactly as the transcoder reads and writes them."""

from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.openapi.comments import comment
from gateway.openapi.rules import keywords, required, rules_of
from gateway.patches import takes_null
from gateway.transcoding import is_text
from gateway.transcoding.times import WHOLE_SECONDS
from gateway.transcoding.values import INTEGERS, ContractUnsupported
from gateway.transcoding.words import words

Schema = dict[str, Any]

_OFFSET_DATE_TIME = "comptoir.common.v1.OffsetDateTime"
_REQUEST_ONLY = ("minimum", "maximum", "pattern")
_SIMPLE: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string", "pattern": "^[^\\x00]*$"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number"},
}


class Schemas:
    """The named schemas of one document. Rules and strictness are for requests only."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}
        self._owners: dict[str, tuple[str, str, frozenset[str]]] = {}

    def answer(self, descriptor: Descriptor) -> Schema:
        """A reference to what is answered: always-shown fields are required."""
        if self._is_new(descriptor.name, (descriptor.full_name, "answer", frozenset())):
            schema = _object(descriptor)
            self.named[descriptor.name] = schema
            shown = [field.name for field in descriptor.fields if _always_shown(field)]
            schema["properties"] = {field.name: self._answered(field) for field in descriptor.fields}
            schema |= {"required": shown} if shown else {}
        return _reference(descriptor.name)

    def request(self, descriptor: Descriptor, leaving_out: frozenset[str] = frozenset()) -> Schema:
        """A reference to what is accepted: unknown fields are refused, null stands for absence."""
        name = descriptor.name if descriptor.name.endswith("Request") else f"{descriptor.name}Input"
        if self._is_new(name, (descriptor.full_name, "request", leaving_out)):
            schema = _object(descriptor)
            self.named[name] = schema
            fields = [field for field in descriptor.fields if field.name not in leaving_out]
            needed = [field.name for field in fields if field.name in required(descriptor)]
            schema["properties"] = {
                field.name: _or_null(self.requested(field))
                if field.name not in needed and takes_null(field)
                else self.requested(field)
                for field in fields
            }
            schema |= {"required": needed} if needed else {}
            schema["additionalProperties"] = False
        return _reference(name)

    def requested(self, field: FieldDescriptor) -> Schema:
        """One field of a request with its rules, as in JSON or as a parameter."""
        rules = rules_of(field)
        if field.is_repeated:
            items = keywords(rules.repeated.items, field.full_name)
            items = _sharper(self._value(field), items)
            schema = {"type": "array", "items": items} | keywords(rules, field.full_name)
        elif field.message_type is not None and not is_text(field):
            schema = self.request(field.message_type)
        else:
            schema = _sharper(self._value(field), keywords(rules, field.full_name))
        return schema | _description(field.full_name)

    def _answered(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None and not is_text(field):
            value = self.answer(field.message_type)
        else:
            value = self._value(field)
            if not is_text(field):
                value = {keyword: said for keyword, said in value.items() if keyword not in _REQUEST_ONLY}
        schema: Schema = {"type": "array", "items": value} if field.is_repeated else value
        return schema | _description(field.full_name)

    def _value(self, field: FieldDescriptor) -> Schema:
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.message_type is not None:
            return _text(field.message_type) if is_text(field) else self.request(field.message_type)
        if field.type in INTEGERS:
            smallest, largest = INTEGERS[field.type]
            width = "int64" if largest > 2**32 else "int32"
            return {"type": "integer", "format": width, "minimum": smallest, "maximum": largest}
        return dict(_SIMPLE[field.type])

    def _enum(self, enum: EnumDescriptor) -> Schema:
        if self._is_new(enum.name, (enum.full_name, "enum", frozenset())):
            known = words(enum)
            meanings = [
                f"`{word}`: {comment(f'{enum.full_name}.{enum.values_by_number[number].name}')}"
                for number, word in known.items()
            ]
            text = " ".join([comment(enum.full_name), *meanings])
            self.named[enum.name] = {"type": "string", "enum": list(known.values()), "description": text}
        return _reference(enum.name)

    def _is_new(self, name: str, owner: tuple[str, str, frozenset[str]]) -> bool:
        known = self._owners.setdefault(name, owner)
        if known != owner:
            raise ContractUnsupported(f"{owner[0]} and {known[0]} would both be the schema {name}")
        return name not in self.named


def _object(descriptor: Descriptor) -> Schema:
    return {"type": "object"} | _description(descriptor.full_name) | {"properties": {}}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _description(full_name: str) -> Schema:
    text = comment(full_name)
    return {"description": text} if text else {}


def _sharper(value: Schema, rules: Schema) -> Schema:
    """A value with its rules; words that are listed need no pattern beside."""
    return {
        keyword: said
        for keyword, said in (value | rules).items()
        if "enum" not in rules or keyword != "pattern"
    }


def _text(message: Descriptor) -> Schema:
    schema: Schema = {"type": "string", "format": "date-time"}
    if message.full_name == _OFFSET_DATE_TIME:
        schema["pattern"] = f"^{WHOLE_SECONDS}$"
    return schema


def _always_shown(field: FieldDescriptor) -> bool:
    if field.is_repeated:
        return True
    return not field.has_presence and field.enum_type is None


def _or_null(schema: Schema) -> Schema:
    schema = dict(schema)
    if "$ref" in schema:
        return {"anyOf": [{"$ref": schema.pop("$ref")}, {"type": "null"}]} | schema
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema | {"type": [schema["type"], "null"]}
