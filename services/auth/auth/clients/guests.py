"""What auth asks booking and payment before a guest is forgotten. No transaction may be open meanwhile."""

from uuid import UUID

from auth.domain.privacy import Subject, SubjectHasBookings, SubjectHasOpenPayments
from comptoir.booking.v1 import privacy_pb2 as booking_pb2
from comptoir.booking.v1 import privacy_pb2_grpc as booking_grpc
from comptoir.payment.v1 import privacy_pb2 as payment_pb2
from comptoir.payment.v1 import privacy_pb2_grpc as payment_grpc
from servicekit.rpc.client import Peer


class Guests:
    """What guests have open."""

    def __init__(self, *, booking: Peer, payment: Peer) -> None:
        self._booking, self._payment = booking, payment
        self._guests = booking.stub(booking_grpc.GuestDirectoryServiceStub)
        self._money = payment.stub(payment_grpc.OpenMoneyServiceStub)

    async def refuse_expected(self, organization: UUID, subject: Subject) -> None:
        """Lets a guest pass who is not expected, and whom nobody owes anything.

        Raises:
            SubjectHasBookings, SubjectHasOpenPayments
            AppError: booking or payment did not answer.
        """
        about = booking_pb2.ListBookingsOfGuestRequest(
            email=subject.email, phone=subject.phone, name=subject.name
        )
        known = await self._booking.call(self._guests.ListBookingsOfGuest, about, organization=organization)
        if known.to_come_booking_ids:
            raise SubjectHasBookings.of(known.to_come_booking_ids)
        of_these = payment_pb2.ListOpenPaymentsRequest(booking_ids=known.booking_ids)
        found = await self._payment.call(self._money.ListOpenPayments, of_these, organization=organization)
        if found.payment_ids:
            raise SubjectHasOpenPayments.of(found.payment_ids)

    async def names_of(self, organization: UUID, phone: str) -> list[tuple[str, int]]:
        """By which names bookings have a number, and how many by each. Raises AppError: nobody answered."""
        about = booking_pb2.ListNamesOfNumberRequest(phone=phone)
        found = await self._booking.call(self._guests.ListNamesOfNumber, about, organization=organization)
        return [(each.name, each.bookings) for each in found.names]
