"""VenueService: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.domain.offerings import OfferingNotFound
from booking.domain.venues import (
    ResourceNotFound,
)
from booking.events.hours import shift_message
from booking.events.messages import (
    KINDS,
    area_message,
    combination_message,
    resource_message,
    venue_message,
)
from booking.servicer.capacity import adjacency, area_id
from booking.servicer.offerings import OfferingRpcs
from booking.servicer.reading import page, venue_ref
from booking.usecases import venues
from comptoir.booking.v1 import venue_pb2
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_KINDS = {number: kind for kind, number in KINDS.items()}


class VenueServicer(OfferingRpcs):
    """Everything an organization sets up."""

    async def CreateVenue(
        self, request: venue_pb2.CreateVenueRequest, _context: _Context
    ) -> venue_pb2.CreateVenueResponse:
        """Opens a venue."""
        venue = await venues.create_venue(
            self._app,
            identity.caller().tenant,
            name=request.name,
            slug=request.slug,
            time_zone=request.time_zone,
            currency=request.currency,
            address=request.address,
        )
        return venue_pb2.CreateVenueResponse(venue=venue_message(venue))

    async def GetVenue(
        self, request: venue_pb2.GetVenueRequest, _context: _Context
    ) -> venue_pb2.GetVenueResponse:
        """Reads any venue."""
        venue = await venues.get_venue(self._app, venue_ref(request.venue_id))
        return venue_pb2.GetVenueResponse(venue=venue_message(venue))

    async def UpdateVenue(
        self, request: venue_pb2.UpdateVenueRequest, _context: _Context
    ) -> venue_pb2.UpdateVenueResponse:
        """Changes a venue."""
        venue = await venues.update_venue(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            name=request.name if request.HasField("name") else None,
            address=_address(request),
            time_zone=request.time_zone if request.HasField("time_zone") else None,
            reseating=request.reseating if request.HasField("reseating") else None,
        )
        return venue_pb2.UpdateVenueResponse(venue=venue_message(venue))

    async def ListVenues(
        self, request: venue_pb2.ListVenuesRequest, _context: _Context
    ) -> venue_pb2.ListVenuesResponse:
        """Lists the caller's venues."""
        found, token = await venues.list_venues(
            self._app, identity.caller().tenant, page(request, "venues", keys=2)
        )
        return venue_pb2.ListVenuesResponse(items=map(venue_message, found), next_page_token=token)

    async def CreateArea(
        self, request: venue_pb2.CreateAreaRequest, _context: _Context
    ) -> venue_pb2.CreateAreaResponse:
        """Adds an area."""
        area = await venues.add_area(
            self._app, identity.caller().tenant, venue_ref(request.venue_id), name=request.name
        )
        return venue_pb2.CreateAreaResponse(area=area_message(area))

    async def ListAreas(
        self, request: venue_pb2.ListAreasRequest, _context: _Context
    ) -> venue_pb2.ListAreasResponse:
        """Lists a venue's areas."""
        found, token = await venues.list_areas(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            page(request, "areas", request.venue_id, keys=2),
        )
        return venue_pb2.ListAreasResponse(items=map(area_message, found), next_page_token=token)

    async def CreateResource(
        self, request: venue_pb2.CreateResourceRequest, _context: _Context
    ) -> venue_pb2.CreateResourceResponse:
        """Adds a resource."""
        resource = await venues.add_resource(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            name=request.name,
            kind=_KINDS[request.kind],
            min_party=request.min_party,
            max_party=request.max_party,
            area_id=area_id(request.area_id),
            attributes=request.attributes,
            priority=request.priority,
            online=not request.staff_only,
            in_service=not request.out_of_service,
        )
        return venue_pb2.CreateResourceResponse(resource=resource_message(resource))

    async def ListResources(
        self, request: venue_pb2.ListResourcesRequest, _context: _Context
    ) -> venue_pb2.ListResourcesResponse:
        """Lists a venue's resources."""
        found, token = await venues.list_resources(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            page(request, "resources", request.venue_id, keys=2),
        )
        return venue_pb2.ListResourcesResponse(items=map(resource_message, found), next_page_token=token)

    async def CreateCombination(
        self, request: venue_pb2.CreateCombinationRequest, _context: _Context
    ) -> venue_pb2.CreateCombinationResponse:
        """Adds a combination."""
        combination = await venues.add_combination(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            name=request.name,
            resource_ids=[ids.parse("res", each, ResourceNotFound) for each in request.resource_ids],
            min_party=request.min_party,
            max_party=request.max_party,
            adjacency=adjacency(request),
        )
        return venue_pb2.CreateCombinationResponse(combination=combination_message(combination))

    async def ListCombinations(
        self, request: venue_pb2.ListCombinationsRequest, _context: _Context
    ) -> venue_pb2.ListCombinationsResponse:
        """Lists a venue's combinations."""
        found, token = await venues.list_combinations(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            page(request, "combinations", request.venue_id, keys=2),
        )
        return venue_pb2.ListCombinationsResponse(
            items=map(combination_message, found), next_page_token=token
        )

    async def CreateShift(
        self, request: venue_pb2.CreateShiftRequest, _context: _Context
    ) -> venue_pb2.CreateShiftResponse:
        """Adds a shift."""
        shift = await venues.add_shift(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            weekdays=request.weekdays,
            opens=request.opens,
            last_start=request.last_start,
            closes=request.closes,
            must_finish=request.must_finish,
        )
        return venue_pb2.CreateShiftResponse(shift=shift_message(shift))

    async def ListShifts(
        self, request: venue_pb2.ListShiftsRequest, _context: _Context
    ) -> venue_pb2.ListShiftsResponse:
        """Lists a venue's shifts."""
        found, token = await venues.list_shifts(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            page(request, "shifts", request.venue_id, keys=3),
        )
        return venue_pb2.ListShiftsResponse(items=map(shift_message, found), next_page_token=token)


def _address(request: venue_pb2.UpdateVenueRequest) -> str | None:
    """The new address: none for the same, empty when it was cleared."""
    said = request.HasField("address") or "address" in request.update_mask.paths
    return request.address if said else None
