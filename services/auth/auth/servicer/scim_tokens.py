"""SCIM tokens: messages to use cases and back."""

from datetime import timedelta
from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.connections import ConnectionNotFound
from auth.domain.scim_tokens import ScimToken, prefix
from auth.servicer.callers import author
from auth.servicer.organizations import own
from auth.usecases import scim_tokens
from comptoir.auth.v1 import scim_pb2, scim_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ScimTokenServicer(scim_pb2_grpc.ScimTokenServiceServicer):
    """The bearer token of a connection."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateScimToken(
        self, request: scim_pb2.CreateScimTokenRequest, _context: _Context
    ) -> scim_pb2.CreateScimTokenResponse:
        """Makes it."""
        own(request.organization_id)
        connection_id = ids.parse("con", request.connection_id, ConnectionNotFound)
        issued = await scim_tokens.create_token(self._app, identity.caller(), connection_id, by=author())
        return scim_pb2.CreateScimTokenResponse(token=self._shown(issued.token), secret=issued.text)

    async def GetScimToken(
        self, request: scim_pb2.GetScimTokenRequest, _context: _Context
    ) -> scim_pb2.GetScimTokenResponse:
        """Tells about it."""
        organization_id = own(request.organization_id)
        connection_id = ids.parse("con", request.connection_id, ConnectionNotFound)
        token = await scim_tokens.get_token(self._app, organization_id, connection_id)
        return scim_pb2.GetScimTokenResponse(token=self._shown(token))

    async def RotateScimToken(
        self, request: scim_pb2.RotateScimTokenRequest, _context: _Context
    ) -> scim_pb2.RotateScimTokenResponse:
        """Gives it another secret."""
        own(request.organization_id)
        issued = await scim_tokens.rotate_token(
            self._app,
            identity.caller(),
            ids.parse("con", request.connection_id, ConnectionNotFound),
            grace=timedelta(seconds=request.grace_seconds),
            by=author(),
        )
        return scim_pb2.RotateScimTokenResponse(token=self._shown(issued.token), secret=issued.text)

    async def RevokeScimToken(
        self, request: scim_pb2.RevokeScimTokenRequest, _context: _Context
    ) -> scim_pb2.RevokeScimTokenResponse:
        """Ends it."""
        own(request.organization_id)
        connection_id = ids.parse("con", request.connection_id, ConnectionNotFound)
        await scim_tokens.revoke_token(self._app, identity.caller(), connection_id, by=author())
        return scim_pb2.RevokeScimTokenResponse()

    def _shown(self, token: ScimToken) -> scim_pb2.ScimToken:
        shown = scim_pb2.ScimToken(
            prefix=prefix(token.short_id),
            created_by=ids.show("usr", token.created_by) if token.created_by else "",
            base_url=self._app.sso.scim_url,
        )
        shown.created_at.FromDatetime(token.created_at)
        if token.last_used_at is not None:
            shown.last_used_at.FromDatetime(token.last_used_at)
        if token.previous_until is not None:
            shown.previous_secret_until.FromDatetime(token.previous_until)
        return shown
