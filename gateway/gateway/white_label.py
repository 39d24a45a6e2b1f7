"""The root page of an organization's own domain, and what it shows. Any other host has none."""

from collections.abc import Sequence
from typing import Any

import orjson

from comptoir.booking.v1 import venue_pb2, venue_pb2_grpc
from gateway.edge import Target
from gateway.errors import RouteNotFound
from gateway.http import JSON, Answer, Request, safe
from gateway.pages import page, page_headers
from gateway.queries import parameters
from gateway.settings import LimitSettings
from gateway.sites import Sites
from gateway.transcoding import writer
from servicekit.rpc.client import Peer


class WhiteLabel:
    """Serves "/" and "/v1/site" by the Host that a request names."""

    def __init__(self, sites: Sites, booking: Peer, limits: LimitSettings) -> None:
        self._sites = sites
        self._booking = booking
        self._limits = limits
        self._stub = booking.stub(venue_pb2_grpc.VenueDirectoryServiceStub)
        self._write = writer(venue_pb2.ListSiteVenuesResponse.DESCRIPTOR)
        self._page = page("site", "guest")

    def targets(self) -> list[tuple[str, str, Target]]:
        """Method, template and target of each route."""
        root, site = Target("/", self._root), Target("/v1/site", self._site)
        return [("GET", each.template, each) for each in (root, site)]

    async def _root(self, request: Request, _variables: Sequence[str]) -> Answer:
        if self._sites.at(request.headers.get(b"host", b"")) is None:
            raise RouteNotFound
        return Answer(200, safe(page_headers(self._page)), self._page.html.encode())

    async def _site(self, request: Request, _variables: Sequence[str]) -> Answer:
        """The organization's venues and look: public facts of one organization, and nothing of others."""
        parameters(request.query)
        organization = self._sites.at(request.headers.get(b"host", b""))
        if organization is None:
            raise RouteNotFound
        answer: Any = await self._booking.call(
            self._stub.ListSiteVenues,
            venue_pb2.ListSiteVenuesRequest(),
            organization=organization,
            timeout=self._limits.timeout_seconds,
        )
        return Answer(200, safe([(b"content-type", JSON)]), orjson.dumps(self._write(answer)))
