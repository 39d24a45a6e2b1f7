"""The gRPC server of a service."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health  # type: ignore[attr-defined]

from servicekit.answers import Answers
from servicekit.identity import Verifier
from servicekit.listening import CannotListen, bind
from servicekit.rpc.guard import Guard

Registration = Callable[[grpc.aio.Server], None]

_OPTIONS = (
    ("grpc.max_receive_message_length", 2 * 1024 * 1024),
    ("grpc.max_concurrent_streams", 512),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 15_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)


async def start(
    service: str,
    listen: str,
    verifier: Verifier,
    registrations: Sequence[Registration],
    *,
    answers: Answers | None = None,
) -> tuple[grpc.aio.Server, Any, int]:
    """Listens and serves. Returns the server, its health service, and the port that it got.

    Raises:
        CannotListen: the address is taken or not ours.
    """
    bind(listen).close()  # says why not; gRPC itself prints to stderr and raises without a reason
    server = grpc.aio.server(interceptors=[Guard(service, verifier, answers)], options=_OPTIONS)
    for register in registrations:
        register(server)
    readiness = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(readiness, server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise CannotListen(f"cannot listen on {listen}") from error
    await server.start()
    return server, readiness, port
