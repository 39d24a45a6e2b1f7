"""Events of other services → use cases."""

from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.payment.v1 import events_pb2 as payment_events
from comptoir.support.v1 import events_pb2 as support_events
from notification import events
from notification.app import App
from notification.usecases import facts, privacy, purges
from servicekit.consumer import Handlers
from servicekit.events import Event
from servicekit.privacy import trace_of


async def on_booking_changed(app: App, event: Event) -> None:
    """Something happened to a booking, from its request to the end of the visit."""
    await facts.note_booking_change(app, event, events.booking_change(event), events.partner_event(event))


async def on_link_requested(app: App, event: Event) -> None:
    """A guest wants the mail about a booking again."""
    await facts.note_link_request(app, event, events.link_request(event))


async def on_partner_event(app: App, event: Event) -> None:
    """Something only partners are told of."""
    await facts.note_partner_event(app, event, events.partner_event(event))


async def on_waitlist_joined(app: App, event: Event) -> None:
    """Somebody waits, or waits for something else."""
    entry, first = events.waiting_entry(event)
    await facts.note_waitlist_entry(app, event, events.partner_event(event), entry=entry, first=first)


async def on_waitlist_link_requested(app: App, event: Event) -> None:
    """Somebody who waits is to have their link again."""
    await facts.note_waitlist_link_request(app, event, events.waitlist_link_request(event))


async def on_waitlist_offered(app: App, event: Event) -> None:
    """Room is kept for somebody who waits."""
    told = events.partner_event(event)
    await facts.note_waitlist_offer(app, event, events.waitlist_offer(event), told)


async def on_ticket_answered(app: App, event: Event) -> None:
    """Staff answered a guest."""
    message, booking = events.answer(event)
    await facts.note_answer(app, event, events.partner_event(event), message=message, booking=booking)


async def on_verification_requested(app: App, event: Event) -> None:
    """Somebody is to be sent a link."""
    await facts.note_verification_request(app, event, events.person(event))


async def on_account_mail_requested(app: App, event: Event) -> None:
    """Somebody is to be written to about their account."""
    await facts.note_account_mail(app, event, events.account_mail(event))


async def on_invitation_requested(app: App, event: Event) -> None:
    """Somebody is to be sent a link that invites them."""
    await facts.note_invitation_request(app, event, events.invitation(event))


async def on_personal_data_erased(app: App, event: Event) -> None:
    """Booking has forgotten a person."""
    await privacy.erase(app, event, trace_of(event))


async def on_personal_data_exported(app: App, event: Event) -> None:
    """Booking has told what it keeps of a person."""
    await privacy.export(app, event, trace_of(event))


HANDLERS: Handlers[App] = {
    auth_events.InvitationRequested: on_invitation_requested,
    auth_events.RetentionChanged: purges.note_retention,
    auth_events.VerificationRequested: on_verification_requested,
    auth_events.AccountMailRequested: on_account_mail_requested,
    booking_events.BookingRequested: on_booking_changed,
    booking_events.BookingDeclined: on_booking_changed,
    booking_events.BookingHeld: on_booking_changed,
    booking_events.BookingConfirmed: on_booking_changed,
    booking_events.BookingMoved: on_booking_changed,
    booking_events.BookingCancelled: on_booking_changed,
    booking_events.BookingExpired: on_booking_changed,
    booking_events.BookingArrived: on_booking_changed,
    booking_events.BookingSeated: on_booking_changed,
    booking_events.BookingCompleted: on_booking_changed,
    booking_events.BookingNoShow: on_booking_changed,
    booking_events.WaitlistJoined: on_waitlist_joined,
    booking_events.WaitlistLinkRequested: on_waitlist_link_requested,
    booking_events.WaitlistOffered: on_waitlist_offered,
    booking_events.WaitlistClosed: on_partner_event,
    booking_events.BookingLinkRequested: on_link_requested,
    booking_events.PersonalDataErased: on_personal_data_erased,
    booking_events.PersonalDataExported: on_personal_data_exported,
    payment_events.PaymentSucceeded: on_partner_event,
    payment_events.PaymentRefunded: on_partner_event,
    support_events.TicketOpened: on_partner_event,
    support_events.TicketAnswered: on_ticket_answered,
}
