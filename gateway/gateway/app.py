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
from gateway.dated import CHANGES, Calendar, Chain, Dated, overview
from gateway.dispatch import Table
from gateway.edge import Edge, Target
from gateway.forwarding import Endpoint
from gateway.openapi import shipped
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
from servicekit.api_versions import NEWEST, VERSIONS
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
    api_keys = ApiKeys(_exchange_at(peers["auth"]), revocations, quotas)
    callers = Callers(AccessTokens(keys, revocations), api_keys)
    refreshing = [asyncio.create_task(each.keep_fresh()) for each in (keys, revocations)]
    try:
        table = _table(settings, signer, peers, callers=callers, keys=keys, ready=ready)
        yield Edge(table, trusted_proxies=settings.http.trusted_proxies)
    finally:
        for task in refreshing:
            task.cancel()
        await asyncio.wait(refreshing)
        await quotas.close()
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
) -> Table[Target]:
    table: Table[Target] = Table()
    wrong_links = WrongLinks(settings.limits)
    acts = OperatorActs(_record_at(peers["auth"]))
    calendar = Calendar()
    for route in routes():
        peer = peers[route.rpc.service]
        endpoint = Endpoint(
            route,
            peer=peer,
            signer=signer,
            callers=callers,
            limits=settings.limits,
            wrong_links=wrong_links,
            acts=acts,
        )
        chain = Chain(route.operation_id, CHANGES, VERSIONS)
        cached = route.policy.cache_seconds > 0
        dated = Dated(endpoint, chain, calendar, pins=callers, limits=settings.limits, cached=cached)
        table.add(route.method, route.template, Target(route.template, dated.handle, dated.finish))
    app = hand_written.application(
        document=shipped(),
        versions=orjson.dumps(overview(calendar, CHANGES)),
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
        answer = await auth.call(
            stub.ExchangeKey, key_pb2.ExchangeKeyRequest(key=text, newest_version=NEWEST)
        )
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
        places = networks(list(answer.networks))
        return Holder(caller, until, places, answer.daily_quota, answer.pinned_version)

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
