"""API keys: messages to use cases and back."""

from datetime import UTC, timedelta
from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.api_keys import ApiKey, ApiKeyNotFound, RateClass, Rules
from auth.servicer.callers import author, person
from auth.servicer.organizations import own, venue_ids
from auth.usecases import api_keys
from comptoir.auth.v1 import key_pb2, key_pb2_grpc
from servicekit import identity, ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_RATE_CLASSES = {
    key_pb2.API_KEY_RATE_CLASS_UNSPECIFIED: RateClass.STANDARD,
    key_pb2.API_KEY_RATE_CLASS_STANDARD: RateClass.STANDARD,
    key_pb2.API_KEY_RATE_CLASS_BULK: RateClass.BULK,
}
_SHOWN_RATE_CLASSES = {
    RateClass.STANDARD: key_pb2.API_KEY_RATE_CLASS_STANDARD,
    RateClass.BULK: key_pb2.API_KEY_RATE_CLASS_BULK,
}


class ApiKeyServicer(key_pb2_grpc.ApiKeyServiceServicer):
    """The keys of an organization."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListApiKeys(
        self, request: key_pb2.ListApiKeysRequest, _context: _Context
    ) -> key_pb2.ListApiKeysResponse:
        """Lists them."""
        organization_id = own(request.organization_id)
        page = paging.page(request.page_size, request.page_token, "api keys", str(organization_id), keys=1)
        found, token = await api_keys.list_keys(self._app, organization_id, page)
        return key_pb2.ListApiKeysResponse(items=[_shown(each) for each in found], next_page_token=token)

    async def CreateApiKey(
        self, request: key_pb2.CreateApiKeyRequest, _context: _Context
    ) -> key_pb2.CreateApiKeyResponse:
        """Makes one."""
        own(request.organization_id)
        user_id, _ = person()
        issued = await api_keys.create_key(
            self._app, identity.caller(), _rules(request), user_id=user_id, by=author()
        )
        return key_pb2.CreateApiKeyResponse(key=_shown(issued.key), secret=issued.text)

    async def RotateApiKey(
        self, request: key_pb2.RotateApiKeyRequest, _context: _Context
    ) -> key_pb2.RotateApiKeyResponse:
        """Gives one another secret."""
        own(request.organization_id)
        issued = await api_keys.rotate_key(
            self._app,
            identity.caller(),
            ids.parse("key", request.key_id, ApiKeyNotFound),
            grace=timedelta(seconds=request.grace_seconds),
            by=author(),
        )
        return key_pb2.RotateApiKeyResponse(key=_shown(issued.key), secret=issued.text)

    async def RaiseApiKeyVersion(
        self, request: key_pb2.RaiseApiKeyVersionRequest, _context: _Context
    ) -> key_pb2.RaiseApiKeyVersionResponse:
        """Pins one to a newer version."""
        own(request.organization_id)
        key_id = ids.parse("key", request.key_id, ApiKeyNotFound)
        raised = await api_keys.raise_version(
            self._app, identity.caller(), key_id, request.version, by=author()
        )
        return key_pb2.RaiseApiKeyVersionResponse(key=_shown(raised))

    async def RevokeApiKey(
        self, request: key_pb2.RevokeApiKeyRequest, _context: _Context
    ) -> key_pb2.RevokeApiKeyResponse:
        """Ends one."""
        own(request.organization_id)
        key_id = ids.parse("key", request.key_id, ApiKeyNotFound)
        await api_keys.revoke_key(self._app, identity.caller(), key_id, by=author())
        return key_pb2.RevokeApiKeyResponse()

    async def ReportLeakedKey(
        self, request: key_pb2.ReportLeakedKeyRequest, _context: _Context
    ) -> key_pb2.ReportLeakedKeyResponse:
        """Ends what was found, if it is one."""
        await api_keys.report_leak(self._app, request.key, by=author())
        return key_pb2.ReportLeakedKeyResponse()


class ApiKeyDirectoryServicer(key_pb2_grpc.ApiKeyDirectoryServiceServicer):
    """Keys, for the gateway."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ExchangeKey(
        self, request: key_pb2.ExchangeKeyRequest, _context: _Context
    ) -> key_pb2.ExchangeKeyResponse:
        """Tells whom one speaks for."""
        key, until = await api_keys.exchange_key(self._app, request.key, request.newest_version)
        shown = key_pb2.ExchangeKeyResponse(
            organization_id=key.acts_in.bytes,
            key_id=key.id.bytes,
            permissions=sorted(key.rules.permissions),
            venue_ids=[each.bytes for each in sorted(key.rules.venues)],
            networks=key.rules.networks,
            daily_quota=key.rules.daily_quota or 0,
            rate_class=_SHOWN_RATE_CLASSES[key.rules.rate_class],
            pinned_version=key.pinned_version or "",
        )
        shown.until.FromDatetime(until)
        return shown


def _rules(request: key_pb2.CreateApiKeyRequest) -> Rules:
    return Rules(
        name=request.name,
        permissions=frozenset(request.permissions),
        sandbox=request.sandbox,
        venues=venue_ids(request.venue_ids),
        networks=tuple(request.networks),
        daily_quota=request.daily_quota or None,
        rate_class=_RATE_CLASSES[request.rate_class],
        expires_at=request.expires_at.ToDatetime(UTC) if request.HasField("expires_at") else None,
    )


def _shown(key: ApiKey) -> key_pb2.ApiKey:
    rules = key.rules
    shown = key_pb2.ApiKey(
        id=ids.show("key", key.id),
        name=rules.name,
        prefix=f"cpt_{'test' if rules.sandbox else 'live'}_{key.short_id}_",
        permissions=sorted(rules.permissions),
        sandbox=rules.sandbox,
        venue_ids=[ids.show("ven", each) for each in sorted(rules.venues)],
        networks=rules.networks,
        daily_quota=rules.daily_quota or 0,
        rate_class=_SHOWN_RATE_CLASSES[rules.rate_class],
        created_by=ids.show("usr", key.created_by),
        revoke_reason=key.revoke_reason or "",
        acts_in=ids.show("org", key.acts_in),
        pinned_version=key.pinned_version or "",
    )
    shown.created_at.FromDatetime(key.created_at)
    moments = {
        "expires_at": rules.expires_at,
        "last_used_at": key.last_used_at,
        "previous_secret_until": key.previous_until,
        "revoked_at": key.revoked_at,
    }
    for name, moment in moments.items():
        if moment is not None:
            getattr(shown, name).FromDatetime(moment)
    return shown
