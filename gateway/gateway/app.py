"""Puts the gateway together: the contract's routes and the hand-written ones in one table behind one edge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import orjson

from comptoir.auth.v1 import account_pb2, account_pb2_grpc
from gateway import hand_written
from gateway.dispatch import Table
from gateway.edge import Edge, Target
from gateway.forwarding import Endpoint
from gateway.openapi import document
from gateway.routes import routes
from gateway.settings import Settings
from gateway.signing_keys import Fetch, SigningKeys
from gateway.tokens import AccessTokens
from gateway.wrong_links import WrongLinks
from servicekit.identity import Signer
from servicekit.rpc.client import Peer


@asynccontextmanager
async def open_gateway(settings: Settings, ready: Callable[[], bool]) -> AsyncIterator[Edge]:
    """The ASGI app with its channels open and its keys kept fresh. It must be used in the loop that opens it.

    Raises:
        ContractBroken, ContractUnsupported, RouteTwice: the contract cannot be served.
    """
    signer = Signer(settings.identity.signing_key_file)
    peers = {name: Peer(name, target, signer, retries=True) for name, target in settings.peers.items()}
    keys = SigningKeys(_fetch_from(peers["auth"]))
    refreshing = asyncio.create_task(keys.keep_fresh())
    try:
        table = _table(settings, signer, peers, keys, ready)
        yield Edge(table, trusted_proxies=settings.http.trusted_proxies)
    finally:
        refreshing.cancel()
        await asyncio.wait([refreshing])
        for peer in peers.values():
            await peer.close()


def _table(
    settings: Settings,
    signer: Signer,
    peers: Mapping[str, Peer],
    keys: SigningKeys,
    ready: Callable[[], bool],
) -> Table[Target]:
    table: Table[Target] = Table()
    tokens, wrong_links = AccessTokens(keys), WrongLinks(settings.limits)
    served = routes()
    for route in served:
        peer = peers[route.rpc.service]
        endpoint = Endpoint(
            route,
            peer=peer,
            signer=signer,
            tokens=tokens,
            limits=settings.limits,
            wrong_links=wrong_links,
        )
        table.add(route.method, route.template, Target(route.template, endpoint))
    app = hand_written.application(
        document=orjson.dumps(document(served)),
        keys=keys,
        payment=peers["payment"],
        limits=settings.limits,
        ready=ready,
    )
    for method, template, target in hand_written.targets(app):
        table.add(method, template, target)
    return table


def _fetch_from(auth: Peer) -> Fetch:
    stub = auth.stub(account_pb2_grpc.AccountDirectoryServiceStub)

    async def fetch() -> str:
        answer = await auth.call(stub.GetSigningKeys, account_pb2.GetSigningKeysRequest())
        keys: str = answer.jwks_json
        return keys

    return fetch
