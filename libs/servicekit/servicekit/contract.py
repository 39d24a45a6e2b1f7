"""Reads the contract: every RPC with its policy, every event with its topic. Decides nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2

CONTEXTS = ("auth", "booking", "payment", "notification", "support", "analytics")


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC of the platform."""

    path: str
    """Like "/comptoir.booking.v1.BookingService/CreateBooking"."""
    service: str
    """The owning service: "booking"."""
    method: MethodDescriptor
    policy: policy_pb2.Policy | None
    """None when it was forgotten: such an RPC is denied."""

    @property
    def request(self) -> type[Message]:
        """The request's class."""
        return message_factory.GetMessageClass(self.method.input_type)

    @property
    def response(self) -> type[Message]:
        """The response's class."""
        return message_factory.GetMessageClass(self.method.output_type)


@dataclass(frozen=True, slots=True)
class EventType:
    """One event of the platform."""

    name: str
    """The ce_type: "comptoir.booking.v1.BookingConfirmed"."""
    topic: str
    """Like "comptoir.booking.v1"."""
    descriptor: Descriptor
    rules: policy_pb2.Event

    @property
    def message(self) -> type[Message]:
        """The event's class."""
        return message_factory.GetMessageClass(self.descriptor)


@cache
def image() -> descriptor_pb2.FileDescriptorSet:
    """The contract with its comments, as it was compiled."""
    raw = files("comptoir").joinpath("contract.binpb").read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(raw)


@cache
def _files() -> tuple[FileDescriptor, ...]:
    names = [file.name for file in image().file if file.name.startswith("comptoir/")]
    modules = (import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2") for name in names)
    return tuple(module.DESCRIPTOR for module in modules)


@cache
def rpcs() -> dict[str, Rpc]:
    """Every RPC of the platform by path."""
    return {rpc.path: rpc for rpc in _each_rpc()}


def _each_rpc() -> Iterator[Rpc]:
    for file in _files():
        for service in file.services_by_name.values():
            for method in service.methods:
                options = method.GetOptions()
                found = options.HasExtension(policy_pb2.policy)
                policy = options.Extensions[policy_pb2.policy] if found else None
                path = f"/{service.full_name}/{method.name}"
                yield Rpc(path, service.full_name.split(".")[1], method, policy)


@cache
def events() -> dict[str, EventType]:
    """Every event of the platform by name."""
    found = {}
    for file in _files():
        for descriptor in file.message_types_by_name.values():
            options = descriptor.GetOptions()
            if options.HasExtension(policy_pb2.event):
                rules = options.Extensions[policy_pb2.event]
                found[descriptor.full_name] = EventType(descriptor.full_name, file.package, descriptor, rules)
    return found
