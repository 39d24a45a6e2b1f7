"""How an organization looks: heard from auth, shown with its venues to guests, of nobody else."""

import pytest

from booking.consumer import HANDLERS
from booking.domain.themes import Theme
from booking.servicer import servicers
from booking.usecases import themes, venues
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import events_pb2, venue_pb2, venue_pb2_grpc
from servicekit import ids
from servicekit.errors import AppError
from servicekit.inbox import AlreadyHandled
from testkit import outbox
from testkit.callers import member, service
from testkit.events import event_of
from testkit.plugin import StartEdge

from .conftest import House, Payments, open_house

LOOK = {
    "name": "Chez Paulette",
    "logo_url": "https://www.example.org/logo.svg",
    "background": "#101418",
    "text": "#f5f1e8",
    "accent": "#ffb454",
}
THEME = Theme(**LOOK)


async def tell(house: House, version: int, name: str = LOOK["name"]) -> None:
    """Has auth tell of a look."""
    told = auth_events.OrganizationThemeUpdated(version=version, **LOOK | {"name": name})
    event = event_of(told, house.organization)
    await HANDLERS[auth_events.OrganizationThemeUpdated](house.app, event)


async def test_a_venue_shows_how_its_organization_looks(house: House) -> None:
    assert (await venues.get_venue(house.app, house.ref)).theme is None
    await tell(house, 2)
    assert (await venues.get_venue(house.app, house.ref)).theme == THEME
    found, theme = await themes.list_site_venues(house.app, house.organization)
    assert ([each.id for each in found], theme) == ([house.venue_id], THEME)


async def test_looks_come_twice_and_out_of_order(house: House) -> None:
    event = event_of(auth_events.OrganizationThemeUpdated(version=3, **LOOK), house.organization)
    await HANDLERS[auth_events.OrganizationThemeUpdated](house.app, event)
    await tell(house, 2, "Before")
    with pytest.raises(AlreadyHandled):
        await HANDLERS[auth_events.OrganizationThemeUpdated](house.app, event)
    assert (await venues.get_venue(house.app, house.ref)).theme == THEME
    await tell(house, 4, "After")
    theme = (await venues.get_venue(house.app, house.ref)).theme
    assert theme is not None
    assert theme.name == "After"


async def test_another_organization_shows_its_own(house: House, payments: Payments) -> None:
    other = await open_house(house.app, payments)
    await tell(house, 2)
    assert (await venues.get_venue(other.app, other.ref)).theme is None
    found, theme = await themes.list_site_venues(other.app, other.organization)
    assert ([each.id for each in found], theme) == ([other.venue_id], None)
    assert await themes.list_site_venues(house.app, ids.new()) == ([], None)


async def test_the_fact_of_a_changed_venue_says_nothing_of_looks(house: House) -> None:
    await tell(house, 2)
    await venues.update_venue(house.app, house.organization, house.ref, name="Chez Odette")
    told = await outbox.published(house.app.db)
    changed = [each for each in told if isinstance(each, events_pb2.VenueChanged)]
    assert changed
    assert not any(each.venue.HasField("theme") for each in changed)


async def test_guests_read_it_and_the_gateway_alone_asks_for_a_site(
    house: House, rpc_edge: StartEdge
) -> None:
    edge = await rpc_edge("booking", servicers(house.app))
    await tell(house, 2)
    request = venue_pb2.GetVenueRequest(venue_id=ids.show("ven", house.venue_id))
    shown = await edge.call(venue_pb2_grpc.VenueServiceStub, "GetVenue", request)
    assert shown.venue.theme == venue_pb2.VenueTheme(**LOOK)
    stub, asked = venue_pb2_grpc.VenueDirectoryServiceStub, venue_pb2.ListSiteVenuesRequest()
    answer = await edge.call(stub, "ListSiteVenues", asked, caller=service("gateway", house.organization))
    assert [each.id for each in answer.items] == [request.venue_id]
    assert answer.theme == shown.venue.theme
    for caller in (member(house.organization), service("auth", house.organization)):
        with pytest.raises(AppError):
            await edge.call(stub, "ListSiteVenues", asked, caller=caller)
