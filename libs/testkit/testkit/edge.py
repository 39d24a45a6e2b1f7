"""A service's gRPC edge in this process, behind its real guard."""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from servicekit import ids
from servicekit.answers import Answers
from servicekit.contract import CONTEXTS, rpcs
from servicekit.identity import Caller
from servicekit.rpc import server
from servicekit.rpc.client import Peer
from servicekit.rpc.metadata import IDEMPOTENCY_REPLAYED
from servicekit.rpc.server import Registration
from testkit.callers import anonymous
from testkit.keys import Keys


class AnsweredOtherwise(AssertionError):
    """A repeated call was not answered as the first one was."""


class Edge:
    """A running edge and how to call it as anybody."""

    def __init__(
        self, service: str, keys: Keys, running: grpc.aio.Server, port: int, *, repeating: bool = False
    ) -> None:
        """With `repeating`, each call that honours an Idempotency-Key is made twice with one: see `call`."""
        self.service = service
        self._repeating = repeating
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
        return cls(service, keys, running, port, repeating=answers is not None)

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

        `told` takes what the service says beside its answer. Where answers are kept, a call that came with no
        key gets one and is repeated: it must be answered alike, and what the test goes on to see shows that
        it had no further effect.
        """
        who = caller or anonymous()
        signer = self._signers[who.issuer]
        bound = getattr(self.peer.stub(stub), method)
        policy = rpcs()[bound._method.decode()].policy  # noqa: SLF001  # the stub offers no public name
        repeating = self._repeating and not idempotency_key and policy is not None and policy.idempotency_key
        key = ids.new().hex if repeating else idempotency_key
        metadata = [("idempotency-key", key)] if key else []
        if user_agent:
            metadata.append(("comptoir-user-agent", user_agent))
        token = signer.token(self.service, who)
        answer = await self.peer.call_as(token, bound, request, metadata=metadata, told=told)
        if repeating:
            said: dict[str, str] = {}
            again = await self.peer.call_as(token, bound, request, metadata=metadata, told=said)
            if (again, said.get(IDEMPOTENCY_REPLAYED)) != (answer, "true"):
                raise AnsweredOtherwise(method)
        return answer

    async def stop(self) -> None:
        """Stops at once."""
        await self.peer.close()
        await self._running.stop(None)
