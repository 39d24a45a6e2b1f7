"""What the protos say about themselves: leading comments by full name."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from servicekit import contract

_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS_OR_VALUES, _NESTED_MESSAGES, _NESTED_ENUMS = 2, 3, 4


def comment(full_name: str) -> str:
    """The comment of a service, method, message, field, enum or value, in one paragraph."""
    return _comments().get(full_name, "")


def summary(full_name: str) -> str:
    """The first sentence of the comment, without its full stop."""
    return comment(full_name).partition(". ")[0].rstrip(".")


@cache
def _comments() -> dict[str, str]:
    return {name: text for file in contract.image().file for name, text in _of(file)}


def _of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    said = {
        tuple(place.path): " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
        if place.leading_comments
    }
    for path, name in _names(file):
        if path in said:
            yield name, said[path]


def _names(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for index, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_SERVICES, index), name
        for number, method in enumerate(service.method):
            yield (_SERVICES, index, _FIELDS_OR_VALUES, number), f"{name}.{method.name}"
    for index, enum in enumerate(file.enum_type):
        yield from _enum_names(enum, (_ENUMS, index), file.package)
    for index, message in enumerate(file.message_type):
        yield from _message_names(message, (_MESSAGES, index), file.package)


def _message_names(message: Any, path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, _FIELDS_OR_VALUES, index), f"{name}.{field.name}"
    for index, enum in enumerate(message.enum_type):
        yield from _enum_names(enum, (*path, _NESTED_ENUMS, index), name)
    for index, nested in enumerate(message.nested_type):
        yield from _message_names(nested, (*path, _NESTED_MESSAGES, index), name)


def _enum_names(enum: Any, path: tuple[int, ...], scope: str) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, f"{scope}.{enum.name}"
    for index, value in enumerate(enum.value):
        yield (*path, _FIELDS_OR_VALUES, index), f"{scope}.{enum.name}.{value.name}"
