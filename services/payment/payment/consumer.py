"""Events of booking to use cases. Decides nothing."""

from types import MappingProxyType
from typing import TypeAlias

from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from payment.app import App
from payment.domain.errors import BookingUnreadable
from payment.usecases import privacy, refunds
from servicekit import ids
from servicekit.events import Event
from servicekit.money import Money
from servicekit.privacy import trace_of

_Closed: TypeAlias = events_pb2.BookingCancelled | events_pb2.BookingExpired


async def on_booking_cancelled(app: App, event: Event) -> None:
    """A booking was called off."""
    await _close(app, event, event.message, "booking cancelled")


async def on_booking_expired(app: App, event: Event) -> None:
    """A hold ran out."""
    await _close(app, event, event.message, "booking expired")


async def on_booking_missed(app: App, event: Event) -> None:
    """A guest did not come."""
    message: events_pb2.BookingNoShow = event.message
    fee = Money(message.fee.amount, message.fee.currency) if message.HasField("fee") else None
    booking_id = ids.parse("bkg", message.booking.booking_id, BookingUnreadable)
    await refunds.settle_no_show(app, event, booking_id, fee=fee)


async def on_guest_came(app: App, event: Event) -> None:
    """A guest is there, or sits: of concern only when one was missed before, and something was kept."""
    message: events_pb2.BookingArrived | events_pb2.BookingSeated = event.message
    if message.HasField("fee_waived"):
        booking_id = ids.parse("bkg", message.booking.booking_id, BookingUnreadable)
        await refunds.waive_no_show(app, event, booking_id)


async def on_personal_data_erased(app: App, event: Event) -> None:
    """Booking has forgotten a person."""
    await privacy.erase(app, event, trace_of(event))


async def on_personal_data_exported(app: App, event: Event) -> None:
    """Booking has told what it keeps of a person."""
    await privacy.export(app, event, trace_of(event))


async def _close(app: App, event: Event, message: _Closed, reason: str) -> None:
    booking = message.booking
    await refunds.close_booking(
        app,
        event,
        ids.parse("bkg", booking.booking_id, BookingUnreadable),
        deposit=_money(booking.deposit),
        refund_due=_money(message.refund_due),
        reason=reason,
    )


def _money(money: values_pb2.Money) -> Money | None:
    """An amount; None when it is absent or nothing."""
    return Money(money.amount, money.currency) if money.amount else None


HANDLERS = MappingProxyType(
    {
        events_pb2.BookingCancelled: on_booking_cancelled,
        events_pb2.BookingExpired: on_booking_expired,
        events_pb2.BookingNoShow: on_booking_missed,
        events_pb2.BookingArrived: on_guest_came,
        events_pb2.BookingSeated: on_guest_came,
        events_pb2.PersonalDataErased: on_personal_data_erased,
        events_pb2.PersonalDataExported: on_personal_data_exported,
    }
)
