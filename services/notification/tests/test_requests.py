"""What guests hear of requests and of the waitlist, and what partners are told of a visit."""

from datetime import UTC, datetime, timedelta

import pytest

from comptoir.booking.v1 import booking_pb2, events_pb2, waitlist_pb2
from comptoir.booking.v1.events_pb2 import (
    BookingConfirmed,
    BookingDeclined,
    BookingLinkRequested,
    BookingNoShow,
    BookingRequested,
    BookingSeated,
    WaitlistClosed,
    WaitlistJoined,
    WaitlistLinkRequested,
    WaitlistOffered,
)
from comptoir.common.v1 import values_pb2
from notification.domain.mails import MailKind, MailStatus
from notification.usecases.facts import BOOKING_REMINDER, DELIVER_WEBHOOK
from servicekit import ids
from testkit.timers import scheduled

from .conftest import Desk, MailSink, Partner
from .owners import Owners

ENTRY = ids.show("wle", ids.new())


@pytest.mark.parametrize(
    ("answer", "said"), [(BookingConfirmed, "Confirmed"), (BookingDeclined, "Not possible")]
)
async def test_a_request_is_acknowledged_and_answered(
    desk: Desk, sink: MailSink, answer: type, said: str
) -> None:
    await desk.happens(BookingRequested)
    await desk.run_due()
    await desk.happens(answer)
    await desk.run_due()
    subjects = [mail["subject"].partition(":")[0] for mail in sink.received(desk.email)]
    assert subjects == ["Your request", said]


async def test_a_request_that_was_answered_meanwhile_is_not_acknowledged(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingRequested)
    desk.change(BookingConfirmed)  # its event has not arrived yet
    await desk.run_due()
    assert sink.received(desk.email) == []
    assert await desk.kinds() == [(MailKind.REQUEST_RECEIVED, MailStatus.CANCELLED)]


async def test_who_asked_gets_the_acknowledgement_again(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingRequested)
    await desk.run_due()
    await desk.tell(BookingLinkRequested(booking=desk.snapshot()))
    await desk.run_due()
    assert [mail["subject"].partition(":")[0] for mail in sink.received(desk.email)] == ["Your request"] * 2


def offered(desk: Desk, owners: Owners, *, minutes: int = 30) -> WaitlistOffered:
    """An offer to somebody who waits, at its owner and as an event."""
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    start = values_pb2.OffsetDateTime(epoch_seconds=int(desk.starts_at.timestamp()), offset_minutes=120)
    described = desk.described()
    entry = waitlist_pb2.WaitlistEntry(
        id=ENTRY,
        status=waitlist_pb2.WAITLIST_STATUS_OFFERED,
        party_size=2,
        time_zone="Europe/Paris",
        guest=booking_pb2.Guest(name="Camille", email=desk.email, language="en"),
        version=2,
        offer=waitlist_pb2.WaitlistOffer(booking_id=desk.reference, start=start, end=start),
    )
    entry.offer.expires_at.epoch_seconds = int(until.timestamp())
    owners.entries[ENTRY] = waitlist_pb2.DescribeWaitlistEntryResponse(
        entry=entry, venue=described.venue, offering_name="Dinner"
    )
    snapshot = events_pb2.WaitlistSnapshot(
        entry_id=ENTRY, status=waitlist_pb2.WAITLIST_STATUS_OFFERED, party_size=2, version=2
    )
    message = WaitlistOffered(entry=snapshot, booking_id=desk.reference, start=start)
    message.expires_at.FromDatetime(until)
    return message


async def test_an_offer_is_mailed_with_its_deadline_and_the_link_of_the_entry(
    desk: Desk, owners: Owners, sink: MailSink
) -> None:
    await desk.tell(offered(desk, owners))
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert mail["subject"].startswith("A place for you: Chez Paulette")
    assert "https://book.example/waitlist/token-1" in mail["text"]
    assert "Your answer by:" in mail["text"]
    assert "For: 2 guests" in mail["text"]


@pytest.mark.parametrize(("amount", "said"), [(6000, ["€60.00"]), (0, [])])
async def test_an_offer_that_gives_up_a_booking_says_what_that_costs(
    desk: Desk, owners: Owners, sink: MailSink, amount: int, said: list[str]
) -> None:
    message = offered(desk, owners)
    offer = owners.entries[ENTRY].entry.offer
    offer.fee_if_accepted.CopyFrom(values_pb2.Money(amount=amount, currency="EUR"))
    await desk.tell(message)
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    label = "If you accept, kept of the deposit of your other booking: "
    assert [line.removeprefix(label) for line in mail["text"].splitlines() if line.startswith(label)] == said


@pytest.mark.parametrize("overtaken", ["run out", "gone", "another"])
async def test_an_offer_that_is_over_is_not_mailed(
    desk: Desk, owners: Owners, sink: MailSink, overtaken: str
) -> None:
    message = offered(desk, owners, minutes=-1 if overtaken == "run out" else 30)
    if overtaken == "gone":
        owners.entries[ENTRY].entry.ClearField("offer")
    if overtaken == "another":
        owners.entries[ENTRY].entry.offer.booking_id = ids.show("bkg", ids.new())
    await desk.tell(message)
    await desk.run_due()
    assert sink.received(desk.email) == []
    assert await desk.kinds() == [(MailKind.WAITLIST_OFFERED, MailStatus.CANCELLED)]


@pytest.mark.parametrize("end", [BookingSeated, BookingNoShow])
async def test_a_visit_ends_reminders_and_mails_nothing(desk: Desk, end: type) -> None:
    await desk.happens(BookingConfirmed)
    await desk.happens(end)
    assert await scheduled(desk.app.db, BOOKING_REMINDER) == []
    assert {kind for kind, _ in await desk.kinds()} == {MailKind.BOOKING_CONFIRMED, MailKind.BOOKING_REMINDER}


async def test_partners_are_told_of_requests_visits_and_the_waitlist(
    desk: Desk, owners: Owners, partner: Partner
) -> None:
    await desk.listens(partner.url)
    for change in (BookingRequested, BookingConfirmed, BookingSeated):
        await desk.happens(change)
    await desk.tell(WaitlistJoined(entry=events_pb2.WaitlistSnapshot(entry_id=ENTRY, version=1)))
    await desk.tell(WaitlistLinkRequested(entry_id=ENTRY))  # no partner's concern
    await desk.tell(offered(desk, owners))
    await desk.tell(WaitlistClosed(entry=events_pb2.WaitlistSnapshot(entry_id=ENTRY)))
    await desk.fire(DELIVER_WEBHOOK)
    told = ["booking.confirmed", "booking.requested", "booking.seated"]
    assert sorted(partner.types()) == [*told, "waitlist.closed", "waitlist.joined", "waitlist.offered"]
