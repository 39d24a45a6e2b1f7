"""The way into every RPC: identity, policy, time budget, validation, errors, trace. Denies by default."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import protovalidate
from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2
from servicekit import deadline, idempotency, identity, permissions, telemetry
from servicekit.contract import Rpc, rpcs
from servicekit.errors import AppError, Internal, InvalidRequest, PermissionDenied, Unauthenticated, Violation
from servicekit.identity import Caller, CallerKind, Verifier
from servicekit.rpc import status
from servicekit.telemetry import metrics

IDENTITY = "comptoir-identity"
IDEMPOTENCY_KEY = "idempotency-key"
REQUEST_ID = "comptoir-request-id"
TRACEPARENT = "traceparent"

_log = telemetry.logger(__name__)
_Context = Any  # grpc-stubs knows no abort_with_status
_Behaviour = Callable[[Message, _Context], Awaitable[Message]]
_Handler = Any  # grpc-stubs types its behaviour as synchronous
_ANONYMOUS = Caller(CallerKind.ANONYMOUS, issuer="")


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # not subscriptable at run time
    """Stands before every RPC. One that the contract does not know, or that has no policy, is denied."""

    def __init__(self, service: str, verifier: Verifier) -> None:
        self._service = service
        self._verifier = verifier
        self._guarded: dict[str, _Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        """The guarded handler, made once a method. Only gRPC's own health service passes unguarded."""
        path = handler_call_details.method
        known = self._guarded.get(path)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None or path.startswith("/grpc.health.v1.Health/"):
            return handler
        guarded = grpc.unary_unary_rpc_method_handler(
            self._wrap(path, rpcs().get(path), handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._guarded[path] = guarded
        return guarded

    def _wrap(self, path: str, rpc: Rpc | None, inner: _Behaviour) -> _Behaviour:
        seconds = metrics.RPC_SERVED_SECONDS.labels(path)
        succeeded = metrics.RPC_SERVED.labels(path, "OK")

        async def guarded(request: Message, context: _Context) -> Message:
            started = time.perf_counter()
            metadata = {
                key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
            }
            refusal: AppError
            with telemetry.server_span(path, metadata.get(TRACEPARENT)):
                try:
                    self._admit(rpc, request, metadata, context.time_remaining())
                    response = await inner(request, context)
                except AppError as error:
                    refusal = error
                except asyncio.CancelledError:
                    raise
                except Exception as error:  # noqa: BLE001  # one of the three edges
                    _log.exception("rpc_failed", method=path, error=type(error).__name__)
                    refusal = Internal()
                else:
                    succeeded.inc()
                    seconds.observe(time.perf_counter() - started)
                    return response
            metrics.RPC_SERVED.labels(path, refusal.kind.code.name).inc()
            seconds.observe(time.perf_counter() - started)
            await context.abort_with_status(status.to_status(refusal, self._service))
            raise AssertionError  # abort never returns

        return guarded

    def _admit(
        self, rpc: Rpc | None, request: Message, metadata: Mapping[str, str], seconds: float | None
    ) -> None:
        if rpc is None or rpc.policy is None:
            raise PermissionDenied
        deadline.start(seconds)
        if REQUEST_ID in metadata:
            telemetry.bind(request_id=metadata[REQUEST_ID])
        token = metadata.get(IDENTITY)
        caller = self._verifier.verify(token) if token else _ANONYMOUS
        authorize(rpc.policy, caller)
        identity.bind(caller)
        idempotency.bind(_idempotency_key(rpc, caller, request, metadata.get(IDEMPOTENCY_KEY)))
        violations = protovalidate.collect_violations(request)
        if violations:
            raise InvalidRequest(violations=[_violation(each) for each in violations])


def authorize(policy: policy_pb2.Policy, caller: Caller) -> None:
    """Lets the caller pass or refuses.

    Raises:
        Unauthenticated: the RPC needs another kind of caller.
        PermissionDenied: the kind is right, but not the permission or the service.
    """
    audience = policy.audience
    if audience == policy_pb2.AUDIENCE_PUBLIC:
        return
    if audience not in _WANTED:
        raise PermissionDenied
    if not _WANTED[audience](caller):
        raise Unauthenticated
    if audience == policy_pb2.AUDIENCE_MEMBER and not _may(policy.permission, caller):
        raise PermissionDenied
    if audience == policy_pb2.AUDIENCE_INTERNAL and caller.issuer not in policy.callers:
        raise PermissionDenied


_WANTED: Mapping[int, Callable[[Caller], bool]] = {
    policy_pb2.AUDIENCE_GUEST: lambda caller: caller.issuer == "gateway",
    policy_pb2.AUDIENCE_MEMBER: lambda caller: (
        caller.kind is CallerKind.MEMBER and caller.organization is not None
    ),
    policy_pb2.AUDIENCE_PLATFORM: lambda caller: caller.kind is CallerKind.PLATFORM,
    policy_pb2.AUDIENCE_INTERNAL: lambda caller: caller.kind is CallerKind.SERVICE,
}


def _may(permission: str, caller: Caller) -> bool:
    return permission == permissions.SELF or permission in caller.permissions


def _idempotency_key(rpc: Rpc, caller: Caller, request: Message, text: str | None) -> idempotency.Key | None:
    if not text or rpc.policy is None or not rpc.policy.idempotency_key:
        return None
    scope = f"{rpc.path}\x00{caller.user or ''}\x00{text}".encode()
    raw = request.SerializeToString(deterministic=True)
    return idempotency.Key(hashlib.sha256(scope).hexdigest(), hashlib.sha256(raw).digest())


def _violation(violation: protovalidate.Violation) -> Violation:
    pointer = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        pointer += f"/{element.field_name}"
        if element.subscript is not None:
            pointer += f"/{element.subscript.value}"
    return Violation(pointer, violation.proto.message)
