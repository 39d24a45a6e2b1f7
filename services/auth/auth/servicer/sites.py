"""Origins, own domains and the theme: messages to use cases and back."""

from dataclasses import asdict
from datetime import UTC
from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.sites import Look, Origin, OriginNotFound, Theme, WebDomain, WebDomainNotFound
from auth.servicer.callers import author
from auth.servicer.organizations import own
from auth.usecases import sites, web_domains
from comptoir.auth.v1 import site_pb2, site_pb2_grpc
from servicekit import ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class OriginServicer(site_pb2_grpc.OriginServiceServicer):
    """The origins that may call for an organization."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateOrigin(
        self, request: site_pb2.CreateOriginRequest, _context: _Context
    ) -> site_pb2.CreateOriginResponse:
        """Allows one."""
        organization_id = own(request.organization_id)
        made = await sites.create_origin(self._app, organization_id, request.origin, by=author())
        return site_pb2.CreateOriginResponse(origin=_shown_origin(made))

    async def ListOrigins(
        self, request: site_pb2.ListOriginsRequest, _context: _Context
    ) -> site_pb2.ListOriginsResponse:
        """Lists them."""
        found = await sites.list_origins(self._app, own(request.organization_id))
        return site_pb2.ListOriginsResponse(items=map(_shown_origin, found))

    async def DeleteOrigin(
        self, request: site_pb2.DeleteOriginRequest, _context: _Context
    ) -> site_pb2.DeleteOriginResponse:
        """Forgets one."""
        organization_id = own(request.organization_id)
        origin_id = ids.parse("ori", request.origin_id, OriginNotFound)
        await sites.delete_origin(self._app, organization_id, origin_id, by=author())
        return site_pb2.DeleteOriginResponse()


class WebDomainServicer(site_pb2_grpc.WebDomainServiceServicer):
    """The domains that show an organization's venues."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateWebDomain(
        self, request: site_pb2.CreateWebDomainRequest, _context: _Context
    ) -> site_pb2.CreateWebDomainResponse:
        """Claims one."""
        organization_id = own(request.organization_id)
        made = await web_domains.create_domain(self._app, organization_id, request.domain, by=author())
        return site_pb2.CreateWebDomainResponse(domain=_shown_domain(made))

    async def ListWebDomains(
        self, request: site_pb2.ListWebDomainsRequest, _context: _Context
    ) -> site_pb2.ListWebDomainsResponse:
        """Lists them."""
        found = await web_domains.list_domains(self._app, own(request.organization_id))
        return site_pb2.ListWebDomainsResponse(items=map(_shown_domain, found))

    async def VerifyWebDomain(
        self, request: site_pb2.VerifyWebDomainRequest, _context: _Context
    ) -> site_pb2.VerifyWebDomainResponse:
        """Looks for its TXT record."""
        organization_id = own(request.organization_id)
        domain_id = ids.parse("dom", request.domain_id, WebDomainNotFound)
        found = await web_domains.verify_domain(self._app, organization_id, domain_id, by=author())
        return site_pb2.VerifyWebDomainResponse(domain=_shown_domain(found))

    async def DeleteWebDomain(
        self, request: site_pb2.DeleteWebDomainRequest, _context: _Context
    ) -> site_pb2.DeleteWebDomainResponse:
        """Gives one up."""
        organization_id = own(request.organization_id)
        domain_id = ids.parse("dom", request.domain_id, WebDomainNotFound)
        await web_domains.delete_domain(self._app, organization_id, domain_id, by=author())
        return site_pb2.DeleteWebDomainResponse()


class ThemeServicer(site_pb2_grpc.ThemeServiceServicer):
    """How an organization looks."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetTheme(
        self, request: site_pb2.GetThemeRequest, _context: _Context
    ) -> site_pb2.GetThemeResponse:
        """Reads it."""
        found = await sites.get_theme(self._app, own(request.organization_id))
        return site_pb2.GetThemeResponse(theme=_shown_theme(found))

    async def UpdateTheme(
        self, request: site_pb2.UpdateThemeRequest, _context: _Context
    ) -> site_pb2.UpdateThemeResponse:
        """Replaces it."""
        look = Look(
            name=request.name,
            logo_url=request.logo_url,
            background=request.background,
            text=request.text,
            accent=request.accent,
        )
        changed = await sites.update_theme(
            self._app,
            own(request.organization_id),
            look,
            expected_version=request.expected_version,
            by=author(),
        )
        return site_pb2.UpdateThemeResponse(theme=_shown_theme(changed))


class SiteDirectoryServicer(site_pb2_grpc.SiteDirectoryServiceServicer):
    """What the gateway asks."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListSites(
        self, request: site_pb2.ListSitesRequest, _context: _Context
    ) -> site_pb2.ListSitesResponse:
        """What has changed."""
        since = request.since.ToDatetime(UTC) if request.HasField("since") else None
        found, as_of = await sites.list_sites(self._app, since)
        answer = site_pb2.ListSitesResponse(
            sites=[
                site_pb2.Site(
                    organization_id=each.organization_id.bytes, origins=each.origins, domains=each.domains
                )
                for each in found
            ]
        )
        answer.as_of.FromDatetime(as_of)
        return answer


def _shown_origin(origin: Origin) -> site_pb2.Origin:
    return site_pb2.Origin(id=ids.show("ori", origin.id), origin=origin.origin)


def _shown_domain(web_domain: WebDomain) -> site_pb2.WebDomain:
    domain = web_domain.domain
    shown = site_pb2.WebDomain(
        id=ids.show("dom", web_domain.id),
        domain=domain.name,
        record_name=domain.record_name,
        record_value=domain.record_value,
        verified=domain.verified_at is not None,
    )
    if domain.missing_since is not None:
        shown.missing_since.FromDatetime(domain.missing_since)
    return shown


def _shown_theme(theme: Theme) -> site_pb2.Theme:
    return site_pb2.Theme(version=theme.version, **asdict(theme.look))
