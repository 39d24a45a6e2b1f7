"""Asks booking whose link a guest holds. Keeps nothing."""

from dataclasses import dataclass
from uuid import UUID

from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit import ids
from servicekit.errors import Internal
from servicekit.rpc.client import Peer


@dataclass(frozen=True, slots=True)
class ManagedBooking:
    """The booking that a manage link opens."""

    organization_id: UUID
    booking_id: UUID


class Bookings:
    """The booking service."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._directory = peer.stub(booking_pb2_grpc.BookingDirectoryServiceStub)

    async def resolve(self, manage_token: str) -> ManagedBooking:
        """The booking of a manage token.

        Raises:
            AppError: booking's own refusal of a token that does not hold, or that it did not answer.
        """
        request = booking_pb2.ResolveManageTokenRequest(token=manage_token)
        answer = await self._peer.call(self._directory.ResolveManageToken, request)
        return ManagedBooking(
            ids.parse("org", answer.organization_id, Internal), ids.parse("bkg", answer.booking.id, Internal)
        )
