"""AppError ⇄ google.rpc.Status with ErrorInfo and BadRequest (AIP-193)."""

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from servicekit.errors import AppError, DeadlineExceeded, Internal, Kind, Unavailable, Violation

_KIND = "kind"


class Remote(AppError):
    """A refusal that came from a peer, passed on as it was."""

    def __init__(
        self,
        kind: Kind,
        reason: str,
        detail: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind  # type: ignore[misc]
        self.reason = reason  # type: ignore[misc]
        self.detail = detail  # type: ignore[misc]
        super().__init__(violations=violations, metadata=metadata)


def to_status(error: AppError, service: str) -> grpc.Status:
    """The status that carries everything public about a refusal."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=f"comptoir.{service}", metadata={**error.metadata, _KIND: error.kind.name}
    )
    details = [_packed(info)]
    if error.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.pointer, description=violation.message
            )
            for violation in error.violations
        ]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=fields)))
    code: int = error.kind.code.value[0]
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.detail, details=details))


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    wrapped = any_pb2.Any()
    wrapped.Pack(message)
    return wrapped


def from_call(error: grpc.aio.AioRpcError) -> AppError:
    """The refusal behind a failed call: the peer's own, or what its absence means."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        if not detail.Unpack(info):
            detail.Unpack(bad_request)
    if info.reason:
        violations = [Violation(each.field, each.description) for each in bad_request.field_violations]
        metadata = {name: value for name, value in info.metadata.items() if name != _KIND}
        kind = Kind[info.metadata[_KIND]]
        return Remote(kind, info.reason, status.message, violations=violations, metadata=metadata)
    match error.code():
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return Unavailable()
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded()
        case _:
            return Internal()
