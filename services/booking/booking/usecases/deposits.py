"""Asking payment for a deposit: only once the hold is safe, and as often as anybody wants to know."""

from uuid import UUID

from booking.app import App
from booking.domain.bookings import Booking, DepositPayment, Status


async def ask_deposit(app: App, organization: UUID, booking: Booking) -> DepositPayment | None:
    """How the deposit of a hold is paid, the same each time; None when nothing is due.

    Raises:
        Unavailable: payment is down.
    """
    if booking.status is not Status.HELD or not booking.deposit:
        return None
    description = f"Deposit for {booking.party_size} people on {booking.service_date.isoformat()}"
    return await app.deposits.request(organization, booking.id, booking.deposit, description=description)
