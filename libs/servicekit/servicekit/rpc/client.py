"""Calls to a peer: signed identity, the rest of the time budget, trace, metrics, refusals as AppError."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import grpc
from google.api import annotations_pb2
from grpc import StatusCode
from opentelemetry.trace import SpanKind

from servicekit import contract, deadline, held, telemetry
from servicekit.contract import Rpc
from servicekit.errors import AppError
from servicekit.identity import Signer
from servicekit.rpc import status
from servicekit.rpc.metadata import IDENTITY, TRACEPARENT
from servicekit.telemetry import metrics

Stub = TypeVar("Stub")

_TIMEOUT = 5.0
_CONNECT_SECONDS = 2.0


class Peer:
    """One service as another process sees it: one long-lived channel, balanced over all its addresses."""

    def __init__(self, name: str, target: str, signer: Signer, *, retries: bool = False) -> None:
        """`retries` is for the one layer that retries: the gateway, and loops that work without a request."""
        self.name = name
        self._signer = signer
        options = [
            ("grpc.service_config", json.dumps(service_config(name, retries=retries))),
            ("grpc.enable_retries", int(retries)),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        self.channel = grpc.aio.insecure_channel(target, options=options)

    def stub(self, make: Callable[[grpc.aio.Channel], Stub]) -> Stub:
        """A generated stub on this peer's channel."""
        return make(self.channel)

    async def call(
        self,
        method: Any,
        request: Any,
        *,
        organization: UUID | None = None,
        timeout: float = _TIMEOUT,  # noqa: ASYNC109
    ) -> Any:
        """Calls as this service itself, for an organization or none.

        Raises:
            AppError: the peer's own refusal; Unavailable or DeadlineExceeded when it did not answer.
        """
        identity = self._signer.as_service(self.name, organization)
        return await self.call_as(identity, method, request, timeout=timeout)

    async def call_as(
        self,
        identity: str,
        method: Any,
        request: Any,
        *,
        timeout: float = _TIMEOUT,  # noqa: ASYNC109
        metadata: Sequence[tuple[str, str]] = (),
        told: dict[str, str] | None = None,
    ) -> Any:
        """Calls with a token made by this process's signer. Raises like `call`.

        `told` takes what the peer says beside its answer.
        """
        await held.settle()
        left = deadline.remaining()
        budget = timeout if left is None else max(0.001, min(timeout, left - deadline.MARGIN))
        path = method._method.decode()  # noqa: SLF001  # the stub offers no public name
        started = time.perf_counter()
        code = StatusCode.OK
        with telemetry.span(path, kind=SpanKind.CLIENT):
            sent = [(IDENTITY, identity), *metadata]
            header = telemetry.header()
            if header:
                sent.append((TRACEPARENT, header))
            try:
                if self.channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
                    await self._connect(budget)
                calling = method(request, timeout=budget, metadata=sent)
                answer = await calling
                if told is not None:
                    said = await calling.trailing_metadata()
                    told.update((key, str(value)) for key, value in said or ())
                return answer  # noqa: TRY300
            except grpc.aio.AioRpcError as error:
                refusal: AppError = status.from_call(error)
                code = refusal.kind.code
                raise refusal from None
            finally:
                metrics.RPC_CALLED.labels(path, code.name).inc()
                metrics.RPC_CALLED_SECONDS.labels(path).observe(time.perf_counter() - started)

    async def _connect(self, budget: float) -> None:
        """Gives a peer that is just starting a moment: a call that was never sent is nobody's repetition.

        Not by `wait_for`, which up to Python 3.11 forgets a cancellation that comes just as it is done.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(_CONNECT_SECONDS, budget / 2)):
                await self.channel.channel_ready()

    async def close(self) -> None:
        """Closes the channel."""
        await self.channel.close(None)


def service_config(name: str, *, retries: bool) -> dict[str, Any]:
    """The service config of gRPC: balanced over all addresses, and retries of calls that repeat without harm.

    They are retried while the peer is unavailable, within a budget that runs dry when too many fail.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    safe = [
        {"service": rpc.method.containing_service.full_name, "method": rpc.method.name}
        for rpc in contract.rpcs().values()
        if rpc.service == name and _repeats_unnoticed(rpc)
    ]
    if retries and safe:
        policy = {
            "maxAttempts": 4,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": safe, "retryPolicy": policy}]
        config["retryThrottling"] = {"maxTokens": 20, "tokenRatio": 0.1}
    return config


def _repeats_unnoticed(rpc: Rpc) -> bool:
    """Whether a repetition has no further effect, and the same answer as the call whose answer was lost.

    A change that compares a version, or deletes, would be refused because it has succeeded.
    """
    if rpc.policy is None or not rpc.policy.idempotent:
        return False
    if "expected_version" in rpc.method.input_type.fields_by_name:
        return False
    rule = rpc.method.GetOptions().Extensions[annotations_pb2.http]
    return all(each.WhichOneof("pattern") != "delete" for each in (rule, *rule.additional_bindings))
