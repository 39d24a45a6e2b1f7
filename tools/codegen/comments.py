"""The comments of the contract, by the full name of what they speak of."""

from collections.abc import Iterator
from functools import cache
from types import MappingProxyType

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor

from servicekit import contract

SCALARS = MappingProxyType(
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


def of(full_name: str) -> str:
    """The leading comment in one line; empty when there is none."""
    return _all().get(full_name, "")


@cache
def _all() -> dict[str, str]:
    return {name: text for file in contract.image().file for name, text in _of_file(file)}


def _of_file(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        name = _name(file, tuple(location.path))
        if name and location.leading_comments:
            yield f"{file.package}.{name}", " ".join(location.leading_comments.split())


def _name(file: descriptor_pb2.FileDescriptorProto, path: tuple[int, ...]) -> str | None:
    match path:
        case (4, message):
            return file.message_type[message].name
        case (4, message, 2, field):
            return f"{file.message_type[message].name}.{file.message_type[message].field[field].name}"
        case (6, service):
            return file.service[service].name
        case (6, service, 2, method):
            return f"{file.service[service].name}.{file.service[service].method[method].name}"
        case _:
            return None
