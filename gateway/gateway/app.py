"""Puts the gateway together: the contract's routes and the hand-written ones in one table behind one edge."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import orjson

from comptoir.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    key_pb2,
    key_pb2_grpc,
    operator_access_pb2,
    operator_access_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
)
from gateway import hand_written, scim
from gateway.api_keys import ApiKeys, Callers, Exchange, Holder, networks
from gateway.cache.keeping import Cache
from gateway.cache.store import Store
from gateway.cache.venues import VenueNames, asking
from gateway.dispatch import Table
from gateway.edge import Edge, Target
from gateway.forwarding import Endpoint
from gateway.live import asking as live_asking
from gateway.live import store
from gateway.live.streams import Streams
from gateway.openapi import document
from gateway.operator_acts import Act, OperatorActs, Record
from gateway.quotas import DailyQuotas
from gateway.revocations import Fetch as FetchRevocations
from gateway.revocations import Revocations
from gateway.routes import routes
from gateway.settings import Settings
from gateway.signing_keys import Fetch, SigningKeys
from gateway.tokens import AccessTokens
from gateway.wrong_links import WrongLinks
from servicekit import ids
from servicekit.identity import Caller, CallerKind, Signer
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
    revocations = Revocations(_fetch_revocations_from(peers["auth"]))
    quotas = DailyQuotas(settings.redis)
    cache = _cache(settings, peers["booking"])
    api_keys = ApiKeys(_exchange_at(peers["auth"]), revocations, quotas)
    callers = Callers(AccessTokens(keys, revocations), api_keys)
    live_redis = store.client(settings.redis)
    streams = Streams(
        settings.live,
        live_redis,
        callers=callers,
        revocations=revocations,
        admission=live_asking.admission(peers, signer, OperatorActs(_record_at(peers["auth"]))),
        trusted_proxies=settings.http.trusted_proxies,
    )
    refreshing = [asyncio.create_task(each.keep_fresh()) for each in (keys, revocations)]
    refreshing.append(asyncio.create_task(streams.run()))
    try:
        table = _table(settings, signer, peers, callers=callers, keys=keys, ready=ready, cache=cache)
        for method, template, target in streams.targets():
            table.add(method, template, target)
        yield Edge(table, trusted_proxies=settings.http.trusted_proxies, streaming=streams)
    finally:
        for task in refreshing:
            task.cancel()
        await asyncio.wait(refreshing)
        await quotas.close()
        if live_redis is not None:
            await live_redis.aclose()
        if cache is not None:
            await cache.close()
        for peer in peers.values():
            await peer.close()


def _table(
    settings: Settings,
    signer: Signer,
    peers: Mapping[str, Peer],
    *,
    callers: Callers,
    keys: SigningKeys,
    ready: Callable[[], bool],
    cache: Cache | None,
) -> Table[Target]:
    table: Table[Target] = Table()
    wrong_links = WrongLinks(settings.limits)
    acts = OperatorActs(_record_at(peers["auth"]))
    served = routes()
    for route in served:
        peer = peers[route.rpc.service]
        endpoint = Endpoint(
            route,
            peer=peer,
            signer=signer,
            callers=callers,
            limits=settings.limits,
            wrong_links=wrong_links,
            acts=acts,
            cache=cache,
        )
        table.add(route.method, route.template, Target(route.template, endpoint))
    app = hand_written.application(
        document=orjson.dumps(document(served)),
        keys=keys,
        auth=peers["auth"],
        payment=peers["payment"],
        limits=settings.limits,
        ready=ready,
    )
    others = (*hand_written.targets(app), *scim.targets(peers["auth"], settings.limits))
    for method, template, target in others:
        table.add(method, template, target)
    return table


def _cache(settings: Settings, booking: Peer) -> Cache | None:
    if settings.redis.url is None or not settings.cache.enabled:
        return None
    return Cache(Store(settings.redis, timeout=settings.cache.timeout_seconds), VenueNames(asking(booking)))


def _fetch_from(auth: Peer) -> Fetch:
    stub = auth.stub(account_pb2_grpc.AccountDirectoryServiceStub)

    async def fetch() -> str:
        answer = await auth.call(stub.GetSigningKeys, account_pb2.GetSigningKeysRequest())
        keys: str = answer.jwks_json
        return keys

    return fetch


def _fetch_revocations_from(auth: Peer) -> FetchRevocations:
    stub = auth.stub(session_pb2_grpc.SessionDirectoryServiceStub)

    async def fetch(since: float | None) -> tuple[Collection[UUID], float]:
        request = session_pb2.ListRevocationsRequest()
        if since is not None:
            request.since.FromNanoseconds(int(since * 1e9))
        answer = await auth.call(stub.ListRevocations, request)
        return [UUID(bytes=each) for each in answer.ids], answer.as_of.ToNanoseconds() / 1e9

    return fetch


def _exchange_at(auth: Peer) -> Exchange:
    stub = auth.stub(key_pb2_grpc.ApiKeyDirectoryServiceStub)

    async def exchange(text: str) -> Holder:
        answer = await auth.call(stub.ExchangeKey, key_pb2.ExchangeKeyRequest(key=text))
        organization = UUID(bytes=answer.organization_id)
        caller = Caller(
            kind=CallerKind.MEMBER,
            issuer="gateway",
            organization=organization,
            permissions=frozenset(answer.permissions),
            venues=frozenset(UUID(bytes=each) for each in answer.venue_ids) or None,
            key=UUID(bytes=answer.key_id),
            sandbox=ids.is_sandbox(organization),
        )
        until = answer.until.ToNanoseconds() / 1e9
        return Holder(caller, until, networks(list(answer.networks)), answer.daily_quota)

    return exchange


def _record_at(auth: Peer) -> Record:
    stub = auth.stub(operator_access_pb2_grpc.OperatorDirectoryServiceStub)

    async def record(act: Act) -> None:
        told = operator_access_pb2.RecordOperatorActRequest(
            act_id=act.id.bytes,
            operator_id=act.operator.bytes,
            access_id=act.access.bytes,
            call=act.call,
            touched=act.touched,
            address=act.address,
            request_id=act.request_id,
        )
        await auth.call(stub.RecordOperatorAct, told, organization=act.organization)

    return record
