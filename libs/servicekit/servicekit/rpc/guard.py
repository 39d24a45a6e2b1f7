"""The way into every RPC: identity, policy, time budget, validation, errors, trace. Denies by default."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import protovalidate
from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2
from servicekit import deadline, idempotency, identity, telemetry
from servicekit.answers import Answers, Slot
from servicekit.contract import Rpc, rpcs
from servicekit.errors import AppError, Internal, InvalidRequest, Kind, PermissionDenied, Violation
from servicekit.identity import Caller, CallerKind, Origin, Verifier
from servicekit.rpc import metadata, status
from servicekit.rpc.authorization import authorize, keep_to_venues
from servicekit.telemetry import metrics

_log = telemetry.logger(__name__)
_Context = Any  # grpc-stubs knows no abort_with_status
_Behaviour = Callable[[Message, _Context], Awaitable[Message]]
_Handler = Any  # grpc-stubs types its behaviour as synchronous
_ANONYMOUS = Caller(CallerKind.ANONYMOUS, issuer="")
_TOLD = {Kind.UNAUTHENTICATED, Kind.DENIED, Kind.EXHAUSTED}
"""Refusals that somebody who investigates wants to find (ASVS 5.0 16.3.1 and 16.3.2)."""


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # not subscriptable at run time
    """Stands before every RPC. One that the contract does not know, or that has no policy, is denied."""

    def __init__(self, service: str, verifier: Verifier, answers: Answers | None = None) -> None:
        """Without `answers` none is kept, and a key holds as far as use cases tie it to what they make."""
        self._service = service
        self._verifier = verifier
        self._answers = answers
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

        async def guarded(request: Message, context: _Context) -> Message:
            started = time.perf_counter()
            given = {
                key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
            }
            refusal: AppError
            code = grpc.StatusCode.CANCELLED  # the caller has left, unless something below comes to an end
            try:
                with telemetry.server_span(path, given.get(metadata.TRACEPARENT)):
                    try:
                        slot = self._admit(rpc, request, given, context.time_remaining())
                        response = await self._response(rpc, slot, request, context, inner)
                    except AppError as error:
                        refusal = error
                        if error.kind in _TOLD:
                            _tell(path, error)
                    except Exception as error:  # noqa: BLE001  # one of the three edges
                        _log.exception("rpc_failed", method=path, error=type(error).__name__)
                        refusal = Internal()
                    else:
                        code = grpc.StatusCode.OK
                        return response
                code = refusal.kind.code
            finally:
                metrics.RPC_SERVED.labels(path, code.name).inc()
                seconds.observe(time.perf_counter() - started)
            await context.abort_with_status(status.to_status(refusal, self._service))
            raise AssertionError  # abort never returns

        return guarded

    async def _response(
        self,
        rpc: Rpc | None,
        slot: Slot | None,
        request: Message,
        context: _Context,
        inner: _Behaviour,
    ) -> Message:
        if self._answers is None or rpc is None or slot is None:
            return await inner(request, context)
        answered = await self._answers.answer(rpc, slot, lambda: inner(request, context))
        if answered.replayed:
            context.set_trailing_metadata(((metadata.IDEMPOTENCY_REPLAYED, "true"),))
        return answered.message

    def _admit(
        self, rpc: Rpc | None, request: Message, given: Mapping[str, str], seconds: float | None
    ) -> Slot | None:
        """Lets a call pass, or refuses it. Answers the slot of its key, if it has one that counts."""
        identity.bind(_ANONYMOUS)
        if rpc is None or rpc.policy is None:
            raise PermissionDenied
        deadline.start(seconds)
        if metadata.REQUEST_ID in given:
            telemetry.bind(request_id=given[metadata.REQUEST_ID])
        token = given.get(metadata.IDENTITY)
        caller = self._verifier.verify(token) if token else _ANONYMOUS
        identity.bind(caller)
        authorize(rpc.policy, caller)
        keep_to_venues(rpc.policy, caller, request)
        # What anybody may see, members who are limited to other venues may see as well.
        members_only = rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
        identity.bind_venues(caller.venues if members_only else None)
        identity.bind_origin(Origin(given.get(metadata.REQUEST_ID, ""), given.get(metadata.USER_AGENT, "")))
        violations = protovalidate.collect_violations(request)
        if violations:
            raise InvalidRequest(violations=[_violation(each) for each in violations])
        if caller.operator is not None:
            _log.info("operator_acts", method=rpc.path, **_named(caller))
        text = given.get(metadata.IDEMPOTENCY_KEY) if rpc.policy.idempotency_key else None
        slot = Slot.of(rpc, caller, request, text) if text else None
        idempotency.bind(slot.for_effect if slot else None)
        return slot


def _tell(path: str, refusal: AppError) -> None:
    """Who was refused what, by ids alone."""
    who = identity.caller()
    _log.info("rpc_refused", method=path, reason=refusal.reason, by=who.kind.value, **_named(who))


def _named(who: Caller) -> dict[str, str]:
    ids_of = {
        "organization": who.organization,
        "user": who.user,
        "session": who.session,
        "key": who.key,
        "operator": who.operator,
    }
    return {name: str(value) for name, value in ids_of.items() if value}


def _violation(violation: protovalidate.Violation) -> Violation:
    pointer = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        pointer += f"/{element.field_name}"
        if element.subscript is not None:
            pointer += f"/{element.subscript.value}"
    missing = violation.proto.rule_id == "enum.not_in"  # of 0, which JSON has no word for
    return Violation(pointer, "value is required" if missing else violation.proto.message)
