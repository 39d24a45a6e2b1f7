"""The HTTP face of the contract: which RPC answers which method and path. Refuses contradictions at start."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from comptoir.api.v1 import policy_pb2
from gateway.transcoding import Parameter, is_text, parameter, parameter_names
from servicekit import contract
from servicekit.contract import Rpc

EVERYTHING = "*"
NO_CONTENT = 204

_RAW = "google.api.HttpBody"
_AUDIENCES = (
    policy_pb2.AUDIENCE_PUBLIC,
    policy_pb2.AUDIENCE_GUEST,
    policy_pb2.AUDIENCE_MEMBER,
    policy_pb2.AUDIENCE_PLATFORM,
)
_WITHOUT_BODY = ("GET", "DELETE")
UPDATE_MASK = "update_mask"
"""The field of a request that names what a PATCH has said; the gateway fills it."""


class ContractBroken(ValueError):
    """The contract's HTTP rules contradict each other. Raised at start."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path, and the RPC behind it."""

    rpc: Rpc
    policy: policy_pb2.Policy
    method: str
    template: str
    variables: tuple[str, ...]
    """Names of the path's variables, in its order."""
    body: str
    """ "*" for the whole request, a field's name, or nothing."""
    response_body: str
    """The field that is answered; nothing for the whole response."""
    operation_id: str

    @property
    def outside_body(self) -> frozenset[str]:
        """Fields of a whole body that no client sends in it: the path has them, or the gateway fills them."""
        return frozenset((*self.variables, UPDATE_MASK)) if self.body == EVERYTHING else frozenset()

    @property
    def status(self) -> int:
        """The status of success."""
        return self.policy.success_status or 200

    @property
    def raw(self) -> bool:
        """Whether the answer is no JSON: the service says its content and its type (google.api.HttpBody)."""
        return bool(self.rpc.method.output_type.full_name == _RAW)

    @property
    def request(self) -> Descriptor:
        """The RPC's request."""
        return self.rpc.method.input_type

    @property
    def response(self) -> Descriptor:
        """What is answered: the response, or the field of it that `response_body` names."""
        whole = self.rpc.method.output_type
        return _object_of(whole, self.response_body) if self.response_body else whole

    @property
    def body_message(self) -> Descriptor:
        """The message that the body fills: the request, or the field of it that `body` names."""
        return self.request if self.body in ("", EVERYTHING) else _object_of(self.request, self.body)

    def path_parameters(self) -> list[Parameter]:
        """The fields that the path's variables stand for, in its order."""
        return [parameter(self.request, name) for name in self.variables]

    def query_parameters(self) -> list[Parameter]:
        """The fields that travel as query parameters: what neither path nor body holds."""
        if self.body == EVERYTHING:
            return []
        return [
            parameter(self.request, name)
            for name in parameter_names(self.request)
            if name not in self.variables and name.partition(".")[0] != self.body
        ]


def routes() -> list[Route]:
    """Every route of the contract. RPCs without a policy, and those that are internal, have none.

    Raises:
        ContractBroken: a rule contradicts its messages, or two routes share an operation id.
        ContractUnsupported: a rule needs what the transcoder does not know.
    """
    found = [route for rpc in contract.rpcs().values() for route in _of(rpc)]
    seen: dict[str, Route] = {}
    for route in found:
        other = seen.setdefault(route.operation_id, route)
        if other is not route:
            raise ContractBroken(f"{route.rpc.path} and {other.rpc.path} are both {route.operation_id}")
    return found


def _of(rpc: Rpc) -> Iterator[Route]:
    options = rpc.method.GetOptions()
    if rpc.policy is None or rpc.policy.audience not in _AUDIENCES:
        return
    if not options.HasExtension(annotations_pb2.http):
        return
    rule = options.Extensions[annotations_pb2.http]
    for number, each in enumerate([rule, *rule.additional_bindings]):
        route = _route(rpc, rpc.policy, each, number)
        refuse_faults(route)
        yield route


def refuse_faults(route: Route) -> None:
    """Raises ContractBroken for a route whose HTTP rule and policy contradict its messages."""
    for fault, present in _faults(route).items():
        if present:
            raise ContractBroken(f"{route.rpc.path}: {fault}")


def _route(rpc: Rpc, policy: policy_pb2.Policy, rule: http_pb2.HttpRule, number: int) -> Route:
    kind = rule.WhichOneof("pattern")
    if kind in (None, "custom"):
        raise ContractBroken(f"{rpc.path}: an HTTP rule without a method that we know")
    template = getattr(rule, kind)
    name = rpc.method.name
    return Route(
        rpc,
        policy,
        method=kind.upper(),
        template=template,
        variables=tuple(part.strip("{}") for part in template.split("/") if part.startswith("{")),
        body=rule.body,
        response_body=rule.response_body,
        operation_id=name[0].lower() + name[1:] + (str(number + 1) if number else ""),
    )


def _faults(route: Route) -> dict[str, bool]:
    asked, answered = route.request.fields_by_name, route.rpc.method.output_type.fields_by_name
    return {
        "a path variable that is a list": any(each.field.is_repeated for each in route.path_parameters()),
        "a nested path variable beside a whole body": route.body == EVERYTHING
        and any("." in name for name in route.variables),
        "a body with a method that has none": route.method in _WITHOUT_BODY and route.body != "",
        "a body that is no message of the request": route.body not in ("", EVERYTHING)
        and not _is_object(asked.get(route.body)),
        "a response_body that is no message of the response": route.response_body != ""
        and not _is_object(answered.get(route.response_body)),
        "a precondition that its request cannot say": route.policy.precondition_required
        and "expected_version" not in asked,
        "an answer that status 204 cannot carry": route.status == NO_CONTENT and bool(answered),
        "a media type of its own without a google.api.HttpBody, or the other way round": route.raw
        != bool(route.policy.media_type),
    }


def _is_object(field: FieldDescriptor | None) -> bool:
    return (
        field is not None and field.message_type is not None and not field.is_repeated and not is_text(field)
    )


def _object_of(descriptor: Descriptor, name: str) -> Descriptor:
    found = descriptor.fields_by_name[name].message_type
    if found is None:
        raise ContractBroken(f"{descriptor.full_name}.{name} is no message")
    return found
