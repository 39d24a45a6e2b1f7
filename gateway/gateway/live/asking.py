"""The services' word on who may listen: the RPC that reads the thing, called as who wants to hear."""

from collections.abc import Mapping

from google.protobuf.message import Message

from gateway.live.admission import Admission
from gateway.operator_acts import OperatorActs
from servicekit import ids
from servicekit.contract import rpcs
from servicekit.identity import Caller, Signer
from servicekit.rpc.client import Peer

_LISTEN = "listenToTopic"


def admission(peers: Mapping[str, Peer], signer: Signer, acts: OperatorActs) -> Admission:
    """An admission that asks the services."""

    async def ask(path: str, wish: Message, caller: Caller) -> None:
        peer = peers[rpcs()[path].service]
        method = peer.channel.unary_unary(
            path, request_serializer=type(wish).SerializeToString, response_deserializer=bytes
        )
        await peer.call_as(signer.token(peer.name, caller), method, wish)

    async def tell(caller: Caller, about: str) -> None:
        await acts.tell(caller, _LISTEN, (about,), request_id=str(ids.new()))

    return Admission(ask, tell)
