"""The part of VenueService about offerings: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.domain.offerings import DepositRule, OfferingNotFound
from booking.domain.terms import RequestRule, Terms
from booking.events.messages import offering_message
from booking.servicer.capacity import filling, operations, turn_times, weekday_turns
from booking.servicer.reading import lead, page, venue_ref
from booking.usecases import offerings, venues
from booking.usecases.offerings import Pricing
from comptoir.booking.v1 import venue_pb2, venue_pb2_grpc
from servicekit import identity, ids
from servicekit.money import Money

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class OfferingRpcs(venue_pb2_grpc.VenueServiceServicer):
    """What can be booked, at what price, and under which terms."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateOffering(
        self, request: venue_pb2.CreateOfferingRequest, _context: _Context
    ) -> venue_pb2.CreateOfferingResponse:
        """Adds an offering."""
        offering = await venues.add_offering(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            name=request.name,
            turn_times=turn_times(request.turn_times),
            deposit=_deposit(request),
            slot_minutes=request.slot_minutes,
            min_notice_minutes=request.min_notice_minutes,
            max_advance_days=request.max_advance_days,
            terms=_terms(request),
            buffer_before_minutes=request.buffer_before_minutes,
            buffer_after_minutes=request.buffer_after_minutes,
            notice_until=lead(request, "notice_until"),
            release=lead(request, "release"),
            weekday_turns=weekday_turns(request),
            operations=operations(request),
            filling=filling(request),
        )
        return venue_pb2.CreateOfferingResponse(offering=offering_message(offering))

    async def ListOfferings(
        self, request: venue_pb2.ListOfferingsRequest, _context: _Context
    ) -> venue_pb2.ListOfferingsResponse:
        """Lists any venue's offerings."""
        found, token = await venues.list_public_offerings(
            self._app,
            venue_ref(request.venue_id),
            page(request, "offerings", request.venue_id, keys=2),
        )
        return venue_pb2.ListOfferingsResponse(items=map(offering_message, found), next_page_token=token)

    async def GetOffering(
        self, request: venue_pb2.GetOfferingRequest, _context: _Context
    ) -> venue_pb2.GetOfferingResponse:
        """Reads an offering of any venue."""
        offering = await offerings.get_public_offering(
            self._app,
            venue_ref(request.venue_id),
            ids.parse("off", request.offering_id, OfferingNotFound),
        )
        return venue_pb2.GetOfferingResponse(offering=offering_message(offering))

    async def UpdateOfferingTerms(
        self, request: venue_pb2.UpdateOfferingTermsRequest, _context: _Context
    ) -> venue_pb2.UpdateOfferingTermsResponse:
        """Replaces what an offering is called and costs, and its terms."""
        offering = await offerings.update_terms(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("off", request.offering_id, OfferingNotFound),
            Pricing(request.name, _deposit(request), _terms(request)),
            expected_version=request.expected_version,
        )
        return venue_pb2.UpdateOfferingTermsResponse(offering=offering_message(offering))

    async def DeleteOffering(
        self, request: venue_pb2.DeleteOfferingRequest, _context: _Context
    ) -> venue_pb2.DeleteOfferingResponse:
        """Takes an offering off sale."""
        await offerings.delete_offering(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("off", request.offering_id, OfferingNotFound),
            expected_version=request.expected_version,
        )
        return venue_pb2.DeleteOfferingResponse()


def _deposit(
    request: venue_pb2.CreateOfferingRequest | venue_pb2.UpdateOfferingTermsRequest,
) -> DepositRule | None:
    if not request.HasField("deposit"):
        return None
    rule = request.deposit
    per_person = Money(rule.per_person.amount, rule.per_person.currency)
    return DepositRule(rule.from_party, per_person, rule.free_cancellation_hours)


def _terms(request: venue_pb2.CreateOfferingRequest | venue_pb2.UpdateOfferingTermsRequest) -> Terms:
    price = None
    if request.HasField("price_per_person"):
        price = Money(request.price_per_person.amount, request.price_per_person.currency)
    return Terms.of(
        price_per_person=price,
        policy=request.policy,
        requests=RequestRule.of(
            from_party=request.request.from_party,
            answer_hours=request.request.answer_hours,
            holds_capacity=request.request.hold_capacity,
            payment_hours=request.request.payment_hours,
        )
        if request.HasField("request")
        else None,
        grace_minutes=None if request.no_show_by_staff else request.no_show_minutes,
        no_show_percent=request.no_show_percent if request.HasField("no_show_percent") else None,
    )
