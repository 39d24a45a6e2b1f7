"""A booking for the calendar of whoever has its link: the object that its mails carry. Keeps nothing."""

from datetime import UTC, datetime

from notification.app import App
from notification.mails import calendar, messages


async def calendar_of_link(app: App, token: str) -> bytes:
    """The iCalendar object (RFC 5545) of a booking as it stands, called off ones included.

    Raises:
        AppError: the refusal of the booking service, MANAGE_TOKEN_NOT_FOUND among them, or that it did not
            answer.
    """
    booking = await app.directory.describe_booking_of_link(token)
    organizer = messages.address_of(app.mail_from)
    method = calendar.method_for(booking)
    return calendar.render(booking, method, organizer=organizer, now=datetime.now(UTC))
