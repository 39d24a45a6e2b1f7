"""WaitlistService, GuestWaitlistService and WaitlistDirectoryService: messages to use cases and back."""

from typing import Any, TypeAlias
from uuid import UUID

import grpc

from booking.app import App
from booking.domain.offerings import OfferingNotFound
from booking.domain.waitlist import Ask, EntryStatus, WaitlistEntryNotFound
from booking.events.messages import booking_message, payment_message, venue_message
from booking.events.waitlist import entry_message
from booking.servicer.capacity import area_id
from booking.servicer.reading import accepted_fee, calendar_day, guest, page_by_id, venue_ref
from booking.usecases import links, offers, sweeps, waitlist
from booking.usecases.directory import staff
from booking.usecases.links import Window
from booking.usecases.waitlist import Seen
from comptoir.booking.v1 import waitlist_pb2, waitlist_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class WaitlistServicer(waitlist_pb2_grpc.WaitlistServiceServicer):
    """The waitlist as guests join it and as staff handle it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def JoinWaitlist(
        self, request: waitlist_pb2.JoinWaitlistRequest, _context: _Context
    ) -> waitlist_pb2.JoinWaitlistResponse:
        """Puts a party in line."""
        ask = Ask.of(
            guest(request.guest),
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            party_size=request.party_size,
            best_date=calendar_day(request.date),
            flexible_days=request.flexible_days,
            earliest=request.earliest,
            latest=request.latest,
            notes=request.notes,
            area_id=area_id(request.area_id),
            attributes=request.attributes,
        )
        seen, token = await waitlist.join_waitlist(
            self._app, venue_ref(request.venue_id), ask, proof=request.waitlist_token
        )
        return waitlist_pb2.JoinWaitlistResponse(entry=_message(seen), waitlist_token=token)

    async def ListWaitlist(
        self, request: waitlist_pb2.ListWaitlistRequest, _context: _Context
    ) -> waitlist_pb2.ListWaitlistResponse:
        """Lists who wants a service day."""
        filters = (request.venue_id, request.date, str(request.include_ended))
        found, token = await waitlist.list_waitlist(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            day=calendar_day(request.date),
            include_ended=request.include_ended,
            page=page_by_id(request.page_size, request.page_token, *filters),
        )
        return waitlist_pb2.ListWaitlistResponse(items=map(_message, found), next_page_token=token)

    async def OfferWaitlistPlace(
        self, request: waitlist_pb2.OfferWaitlistPlaceRequest, _context: _Context
    ) -> waitlist_pb2.OfferWaitlistPlaceResponse:
        """Offers a place out of turn."""
        caller, entry_id = identity.caller(), _entry_id(request.entry_id)
        start = request.start.epoch_seconds if request.HasField("start") else None
        await sweeps.offer_place(self._app, caller.tenant, entry_id, start, actor=staff(caller))
        seen = await waitlist.get_entry(self._app, caller.tenant, entry_id)
        return waitlist_pb2.OfferWaitlistPlaceResponse(entry=_message(seen))

    async def RemoveWaitlistEntry(
        self, request: waitlist_pb2.RemoveWaitlistEntryRequest, _context: _Context
    ) -> waitlist_pb2.RemoveWaitlistEntryResponse:
        """Takes a party off the list."""
        caller = identity.caller()
        entry = await waitlist.leave_waitlist(
            self._app,
            caller.tenant,
            _entry_id(request.entry_id),
            EntryStatus.REMOVED,
            actor=staff(caller),
        )
        return waitlist_pb2.RemoveWaitlistEntryResponse(entry=_message(Seen(entry, 0)))


class GuestWaitlistServicer(waitlist_pb2_grpc.GuestWaitlistServiceServicer):
    """What a guest does with the link of an entry."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def JoinManagedWaitlist(
        self, request: waitlist_pb2.JoinManagedWaitlistRequest, _context: _Context
    ) -> waitlist_pb2.JoinManagedWaitlistResponse:
        """Puts the guest of a booking in line."""
        seen, token = await links.join_waitlist(
            self._app,
            request.token,
            Window(calendar_day(request.date), request.flexible_days, request.earliest, request.latest),
            party_size=request.party_size,
            instead=request.instead_of_booking,
        )
        return waitlist_pb2.JoinManagedWaitlistResponse(entry=_message(seen), waitlist_token=token)

    async def GetWaitlistEntry(
        self, request: waitlist_pb2.GetWaitlistEntryRequest, _context: _Context
    ) -> waitlist_pb2.GetWaitlistEntryResponse:
        """Reads the entry of the link."""
        seen, venue = await waitlist.get_entry_of_link(self._app, request.token)
        return waitlist_pb2.GetWaitlistEntryResponse(entry=_message(seen), venue=venue_message(venue))

    async def AcceptWaitlistOffer(
        self, request: waitlist_pb2.AcceptWaitlistOfferRequest, _context: _Context
    ) -> waitlist_pb2.AcceptWaitlistOfferResponse:
        """Accepts the offer."""
        organization, entry_id = await waitlist.open_link(self._app, request.token)
        accepted = await offers.accept_offer(
            self._app, organization, entry_id, accepted_fee=accepted_fee(request)
        )
        return waitlist_pb2.AcceptWaitlistOfferResponse(
            booking=booking_message(accepted.booking),
            manage_token=accepted.manage_token,
            deposit_payment=payment_message(accepted.payment) if accepted.payment else None,
        )

    async def DeclineWaitlistOffer(
        self, request: waitlist_pb2.DeclineWaitlistOfferRequest, _context: _Context
    ) -> waitlist_pb2.DeclineWaitlistOfferResponse:
        """Declines the offer."""
        organization, entry_id = await waitlist.open_link(self._app, request.token)
        await offers.decline_offer(self._app, organization, entry_id, keep=request.keep)
        seen = await waitlist.get_entry(self._app, organization, entry_id)
        return waitlist_pb2.DeclineWaitlistOfferResponse(entry=_message(seen))

    async def WithdrawWaitlistEntry(
        self, request: waitlist_pb2.WithdrawWaitlistEntryRequest, _context: _Context
    ) -> waitlist_pb2.WithdrawWaitlistEntryResponse:
        """Leaves the list."""
        organization, entry_id = await waitlist.open_link(self._app, request.token)
        entry = await waitlist.leave_waitlist(self._app, organization, entry_id, EntryStatus.WITHDRAWN)
        return waitlist_pb2.WithdrawWaitlistEntryResponse(entry=_message(Seen(entry, 0)))


class WaitlistDirectoryServicer(waitlist_pb2_grpc.WaitlistDirectoryServiceServicer):
    """What other services ask about the waitlist."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def DescribeWaitlistEntry(
        self, request: waitlist_pb2.DescribeWaitlistEntryRequest, _context: _Context
    ) -> waitlist_pb2.DescribeWaitlistEntryResponse:
        """Everything a mail about an entry needs."""
        described = await waitlist.describe_entry(
            self._app,
            identity.caller().tenant,
            _entry_id(request.entry_id),
            issue_token=request.issue_waitlist_token,
        )
        return waitlist_pb2.DescribeWaitlistEntryResponse(
            entry=_message(described.seen),
            venue=venue_message(described.venue),
            offering_name=described.offering_name,
            waitlist_token=described.token,
        )


def _entry_id(text: str) -> UUID:
    return ids.parse("wle", text, WaitlistEntryNotFound)


def _message(seen: Seen) -> waitlist_pb2.WaitlistEntry:
    return entry_message(
        seen.entry,
        position=seen.position,
        offered=seen.offered,
        fee_if_accepted=seen.fee_if_accepted,
        booking_id=seen.booking_id,
    )
