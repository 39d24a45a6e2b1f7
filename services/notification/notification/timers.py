"""What is due → use cases."""

from uuid import UUID

from notification.app import App
from notification.usecases import deliveries, facts, mails, purges
from servicekit.purging import PURGE
from servicekit.timers import Handlers, Timer


async def on_send_mail(app: App, timer: Timer) -> None:
    """A mail is due; the key is its id."""
    await mails.send_mail(app, timer, UUID(timer.key))


async def on_booking_reminder(app: App, timer: Timer) -> None:
    """A reminder is due; the key is the booking, so that there is never more than one."""
    await mails.send_mail(app, timer, UUID(timer.payload[facts.MAIL]))


async def on_deliver_webhook(app: App, timer: Timer) -> None:
    """A delivery is due; the key is its id."""
    await deliveries.deliver_webhook(app, timer, UUID(timer.key))


TIMERS: Handlers[App] = {
    facts.SEND_MAIL: on_send_mail,
    facts.BOOKING_REMINDER: on_booking_reminder,
    facts.DELIVER_WEBHOOK: on_deliver_webhook,
    PURGE: purges.purge,
}
