"""What the gateway asks for the pages of an organization's own domain: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.events.messages import theme_message, venue_message
from booking.usecases import themes
from comptoir.booking.v1 import venue_pb2, venue_pb2_grpc
from servicekit import identity

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class VenueDirectoryServicer(venue_pb2_grpc.VenueDirectoryServiceServicer):
    """The venues of one organization, as guests see them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListSiteVenues(
        self, _request: venue_pb2.ListSiteVenuesRequest, _context: _Context
    ) -> venue_pb2.ListSiteVenuesResponse:
        """Lists them."""
        found, theme = await themes.list_site_venues(self._app, identity.caller().tenant)
        return venue_pb2.ListSiteVenuesResponse(items=map(venue_message, found), theme=theme_message(theme))
