"""The services' word on who may listen: the RPC that reads the thing, called as who wants to hear."""

from collections.abc import Mapping

from google.protobuf.message import Message

from gateway.admission import Admission as Places
from gateway.limits import Limiter
from gateway.live.admission import Admission
from gateway.operator_acts import OperatorActs
from servicekit import ids
from servicekit.contract import rpcs
from servicekit.identity import Caller, Signer
from servicekit.rpc.client import Peer

_LISTEN = "listenToTopic"


def admission(
    peers: Mapping[str, Peer], signer: Signer, acts: OperatorActs, *, limiter: Limiter, places: Places
) -> Admission:
    """An admission that asks the services. Each question counts as a request of the caller's.

    It may so be refused with RateLimited or Overloaded, and nobody is asked then.
    """

    async def ask(path: str, wish: Message, caller: Caller) -> None:
        await limiter.charge(caller)
        peer = peers[rpcs()[path].service]
        method = peer.channel.unary_unary(
            path, request_serializer=type(wish).SerializeToString, response_deserializer=bytes
        )
        with places.of(caller.organization):
            await peer.call_as(signer.token(peer.name, caller), method, wish)

    async def tell(caller: Caller, about: str) -> None:
        await limiter.charge(caller)
        with places.of(caller.organization):
            await acts.tell(caller, _LISTEN, (about,), request_id=str(ids.new()))

    return Admission(ask, tell)
