"""A service's gRPC edge in this process, behind its real guard."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from servicekit.answers import Answers
from servicekit.contract import CONTEXTS
from servicekit.identity import Caller
from servicekit.rpc import server
from servicekit.rpc.client import Peer
from servicekit.rpc.server import Registration
from testkit.callers import anonymous
from testkit.keys import Keys


class Edge:
    """A running edge and how to call it as anybody."""

    def __init__(self, service: str, keys: Keys, running: grpc.aio.Server, port: int) -> None:
        self.service = service
        self.port = port
        self._running = running
        self._signers = {name: keys.signer(name) for name in ("gateway", *CONTEXTS)}
        self.peer = Peer(service, f"127.0.0.1:{port}", self._signers["gateway"])

    @classmethod
    async def start(
        cls, service: str, keys: Keys, registrations: Sequence[Registration], answers: Answers | None = None
    ) -> "Edge":
        """Serves on a free port."""
        running, _, port = await server.start(
            service, "127.0.0.1:0", keys.verifier(service), registrations, answers=answers
        )
        return cls(service, keys, running, port)

    def peer_of(self, caller: str) -> Peer:
        """This service as another one sees it. The caller closes it."""
        return Peer(self.service, f"127.0.0.1:{self.port}", self._signers[caller])

    async def call(
        self,
        stub: Callable[[grpc.aio.Channel], Any],
        method: str,
        request: Any,
        *,
        caller: Caller | None = None,
        idempotency_key: str | None = None,
        user_agent: str | None = None,
        told: dict[str, str] | None = None,
    ) -> Any:
        """Calls `method` as `caller`, who is anonymous by default. Raises the AppError that was answered.

        `told` takes what the service says beside its answer.
        """
        who = caller or anonymous()
        signer = self._signers[who.issuer]
        metadata = [("idempotency-key", idempotency_key)] if idempotency_key else []
        if user_agent:
            metadata.append(("comptoir-user-agent", user_agent))
        bound = getattr(self.peer.stub(stub), method)
        token = signer.token(self.service, who)
        return await self.peer.call_as(token, bound, request, metadata=metadata, told=told)

    async def stop(self) -> None:
        """Stops at once."""
        await self.peer.close()
        await self._running.stop(None)
