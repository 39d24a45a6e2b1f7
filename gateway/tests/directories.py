"""What the gateway itself asks auth, in small: keys, revocations, API keys, and what operators do."""

import json
from collections.abc import Sequence
from typing import Any

from joserfc.jwk import OKPKey

from comptoir.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    key_pb2_grpc,
    operator_access_pb2,
    operator_access_pb2_grpc,
    session_pb2,
    session_pb2_grpc,
    site_pb2,
    site_pb2_grpc,
)
from servicekit import identity
from servicekit.errors import Unauthenticated
from servicekit.rpc.server import Registration


class AccountDirectory(account_pb2_grpc.AccountDirectoryServiceServicer):
    def __init__(self, key: OKPKey) -> None:
        self.key = key

    async def GetSigningKeys(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        keys = json.dumps({"keys": [self.key.as_dict(private=False)]})
        return account_pb2.GetSigningKeysResponse(jwks_json=keys)


class SessionDirectory(session_pb2_grpc.SessionDirectoryServiceServicer):
    def __init__(self, backend: Any) -> None:
        self.backend = backend

    async def ListRevocations(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return session_pb2.ListRevocationsResponse(ids=[each.bytes for each in self.backend.revoked])


class ApiKeyDirectory(key_pb2_grpc.ApiKeyDirectoryServiceServicer):
    def __init__(self, backend: Any) -> None:
        self.backend = backend

    async def ExchangeKey(self, request: Any, _context: Any) -> Any:  # noqa: N802
        if request.key not in self.backend.keys:
            raise Unauthenticated
        answer = self.backend.keys[request.key]
        if not answer.pinned_version:
            answer.pinned_version = request.newest_version
        return answer


class OperatorDirectory(operator_access_pb2_grpc.OperatorDirectoryServiceServicer):
    def __init__(self, backend: Any) -> None:
        self.backend = backend

    async def RecordOperatorAct(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self.backend.acts.append((identity.caller().organization, request))
        if self.backend.acts_refusal is not None:
            raise self.backend.acts_refusal
        return operator_access_pb2.RecordOperatorActResponse()


class SiteDirectory(site_pb2_grpc.SiteDirectoryServiceServicer):
    def __init__(self, backend: Any) -> None:
        self.backend = backend

    async def ListSites(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return site_pb2.ListSitesResponse(sites=self.backend.sites)


def directories(backend: Any, key: OKPKey) -> Sequence[Registration]:
    """All of them, on what a backend says."""
    return [
        lambda s: account_pb2_grpc.add_AccountDirectoryServiceServicer_to_server(AccountDirectory(key), s),
        lambda s: session_pb2_grpc.add_SessionDirectoryServiceServicer_to_server(
            SessionDirectory(backend), s
        ),
        lambda s: key_pb2_grpc.add_ApiKeyDirectoryServiceServicer_to_server(ApiKeyDirectory(backend), s),
        lambda s: operator_access_pb2_grpc.add_OperatorDirectoryServiceServicer_to_server(
            OperatorDirectory(backend), s
        ),
        lambda s: site_pb2_grpc.add_SiteDirectoryServiceServicer_to_server(SiteDirectory(backend), s),
    ]
