"""What the gateway asks auth in its own name."""

from collections.abc import Collection, Sequence
from uuid import UUID

from comptoir.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    key_pb2,
    key_pb2_grpc,
    operator_access_pb2,
    operator_access_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    site_pb2,
    site_pb2_grpc,
)
from gateway.api_keys import Exchange, Holder, networks
from gateway.news import Fetch
from gateway.operator_acts import Act, Record
from gateway.signing_keys import Fetch as FetchKeys
from gateway.sites import Site
from servicekit import ids
from servicekit.api_versions import NEWEST
from servicekit.identity import Caller, CallerKind
from servicekit.rpc.client import Peer


def signing_keys_of(auth: Peer) -> FetchKeys:
    """Asks for the keys that access tokens are signed with."""
    stub = auth.stub(account_pb2_grpc.AccountDirectoryServiceStub)

    async def fetch() -> str:
        answer = await auth.call(stub.GetSigningKeys, account_pb2.GetSigningKeysRequest())
        keys: str = answer.jwks_json
        return keys

    return fetch


def revocations_of(auth: Peer) -> Fetch[Collection[UUID]]:
    """Asks which sessions and keys were revoked since a moment."""
    stub = auth.stub(session_pb2_grpc.SessionDirectoryServiceStub)

    async def fetch(since: float | None) -> tuple[Collection[UUID], float]:
        request = session_pb2.ListRevocationsRequest()
        if since is not None:
            request.since.FromNanoseconds(int(since * 1e9))
        answer = await auth.call(stub.ListRevocations, request)
        return [UUID(bytes=each) for each in answer.ids], answer.as_of.ToNanoseconds() / 1e9

    return fetch


def sites_of(auth: Peer) -> Fetch[Sequence[Site]]:
    """Asks which origins and domains changed since a moment."""
    stub = auth.stub(site_pb2_grpc.SiteDirectoryServiceStub)

    async def fetch(since: float | None) -> tuple[Sequence[Site], float]:
        request = site_pb2.ListSitesRequest()
        if since is not None:
            request.since.FromNanoseconds(int(since * 1e9))
        answer = await auth.call(stub.ListSites, request)
        found = [
            Site(UUID(bytes=each.organization_id), tuple(each.origins), tuple(each.domains))
            for each in answer.sites
        ]
        return found, answer.as_of.ToNanoseconds() / 1e9

    return fetch


def keys_exchanged_at(auth: Peer) -> Exchange:
    """Asks whose an API key is."""
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


def acts_recorded_at(auth: Peer) -> Record:
    """Tells what an operator is about to do."""
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
