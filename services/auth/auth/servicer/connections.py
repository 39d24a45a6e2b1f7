"""Connections to providers: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.connections import Connection, ConnectionNotFound, Domain, Provider, Rules
from auth.servicer.callers import author
from auth.servicer.organizations import own
from auth.usecases import connections
from comptoir.auth.v1 import connection_pb2, connection_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ConnectionServicer(connection_pb2_grpc.ConnectionServiceServicer):
    """An organization's log-in at its provider."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateConnection(
        self, request: connection_pb2.CreateConnectionRequest, _context: _Context
    ) -> connection_pb2.CreateConnectionResponse:
        """Makes one."""
        own(request.organization_id)
        made = await connections.create_connection(
            self._app,
            identity.caller(),
            _provider(request.settings),
            _rules(request.settings),
            secret=request.client_secret,
            domains=request.settings.domains,
            by=author(),
        )
        return connection_pb2.CreateConnectionResponse(connection=self._shown(made))

    async def ListConnections(
        self, request: connection_pb2.ListConnectionsRequest, _context: _Context
    ) -> connection_pb2.ListConnectionsResponse:
        """Lists them."""
        found = await connections.list_connections(self._app, own(request.organization_id))
        return connection_pb2.ListConnectionsResponse(items=[self._shown(each) for each in found])

    async def UpdateConnection(
        self, request: connection_pb2.UpdateConnectionRequest, _context: _Context
    ) -> connection_pb2.UpdateConnectionResponse:
        """Changes one."""
        own(request.organization_id)
        changed = await connections.update_connection(
            self._app,
            identity.caller(),
            ids.parse("con", request.connection_id, ConnectionNotFound),
            _provider(request.settings),
            _rules(request.settings),
            secret=request.client_secret,
            domains=request.settings.domains,
            by=author(),
        )
        return connection_pb2.UpdateConnectionResponse(connection=self._shown(changed))

    async def VerifyDomains(
        self, request: connection_pb2.VerifyDomainsRequest, _context: _Context
    ) -> connection_pb2.VerifyDomainsResponse:
        """Looks for TXT records."""
        own(request.organization_id)
        connection_id = ids.parse("con", request.connection_id, ConnectionNotFound)
        found = await connections.verify_domains(self._app, identity.caller(), connection_id, by=author())
        return connection_pb2.VerifyDomainsResponse(connection=self._shown(found))

    async def DeleteConnection(
        self, request: connection_pb2.DeleteConnectionRequest, _context: _Context
    ) -> connection_pb2.DeleteConnectionResponse:
        """Deletes one."""
        own(request.organization_id)
        connection_id = ids.parse("con", request.connection_id, ConnectionNotFound)
        await connections.delete_connection(self._app, identity.caller(), connection_id, by=author())
        return connection_pb2.DeleteConnectionResponse()

    def _shown(self, connection: Connection) -> connection_pb2.Connection:
        rules, provider = connection.rules, connection.provider
        return connection_pb2.Connection(
            id=ids.show("con", connection.id),
            settings=connection_pb2.ConnectionSettings(
                name=provider.name,
                issuer=provider.issuer,
                client_id=provider.client_id,
                default_role=rules.default_role,
                role_claim=rules.role_claim,
                role_mappings=[
                    connection_pb2.RoleMapping(value=value, role=role) for value, role in rules.roles
                ],
                domains=[each.name for each in connection.domains],
                required=rules.required,
                provides_second_factor=rules.provides_second_factor,
            ),
            domains=[_domain(each) for each in connection.domains],
            redirect_uri=self._app.sso.callback_url(ids.show("con", connection.id)),
        )


def _domain(domain: Domain) -> connection_pb2.ConnectionDomain:
    shown = connection_pb2.ConnectionDomain(
        domain=domain.name,
        record_name=domain.record_name,
        record_value=domain.record_value,
        verified=domain.verified_at is not None,
    )
    if domain.missing_since is not None:
        shown.missing_since.FromDatetime(domain.missing_since)
    return shown


def _provider(settings: connection_pb2.ConnectionSettings) -> Provider:
    return Provider(settings.name.strip(), settings.issuer, settings.client_id)


def _rules(settings: connection_pb2.ConnectionSettings) -> Rules:
    return Rules(
        settings.default_role,
        settings.role_claim,
        tuple((each.value, each.role) for each in settings.role_mappings),
        required=settings.required,
        provides_second_factor=settings.provides_second_factor,
    )
