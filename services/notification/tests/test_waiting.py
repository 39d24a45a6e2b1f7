"""The mail to somebody who waits: what it says, how often it comes, and when it does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from comptoir.booking.v1 import booking_pb2, events_pb2, waitlist_pb2
from comptoir.booking.v1.events_pb2 import WaitlistJoined, WaitlistLinkRequested
from notification.domain.mails import MailKind, MailStatus
from notification.usecases.facts import SEND_MAIL
from servicekit import ids
from servicekit.events import Event
from testkit.events import event_of
from testkit.timers import scheduled

from .conftest import Desk, MailSink, Owners

ENTRY = ids.show("wle", ids.new())
SOON = (datetime.now(UTC) + timedelta(days=2)).replace(minute=0, second=1, microsecond=0)


@pytest.fixture
def waiting(desk: Desk, owners: Owners) -> waitlist_pb2.WaitlistEntry:
    """An entry at its owner; what is changed in it is what the owner says from then on."""
    described = waitlist_pb2.DescribeWaitlistEntryResponse(
        entry=waitlist_pb2.WaitlistEntry(
            id=ENTRY,
            status=waitlist_pb2.WAITLIST_STATUS_WAITING,
            party_size=2,
            date="2027-10-30",
            flexible_days=2,
            earliest="18:00",
            latest="21:30",
            time_zone="Europe/Paris",
            guest=booking_pb2.Guest(name="Camille", email=desk.email, language="en"),
            position=3,
            version=1,
        ),
        venue=desk.described().venue,
        offering_name="Dinner",
    )
    owners.entries[ENTRY] = described
    return described.entry


def joined(desk: Desk, version: int = 1, at: datetime = SOON) -> Event:
    """The entry joined, or asked for something else."""
    snapshot = events_pb2.WaitlistSnapshot(entry_id=ENTRY, version=version)
    return replace(event_of(WaitlistJoined(entry=snapshot), desk.organization), time=at)


def asked(desk: Desk, at: datetime = SOON) -> Event:
    """Somebody joined with the address and could not show the link."""
    return replace(event_of(WaitlistLinkRequested(entry_id=ENTRY), desk.organization), time=at)


async def test_whoever_joins_is_told_what_they_wait_for_with_the_link_of_the_entry(
    desk: Desk, waiting: waitlist_pb2.WaitlistEntry, sink: MailSink
) -> None:
    event = joined(desk)
    assert await desk.deliver(event)
    assert not await desk.deliver(event)
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert mail["subject"] == "You are on the waitlist: Chez Paulette, 30 Oct"
    assert 'href="https://book.example/waitlist/token-1"' in mail["html"]
    assert mail["attachments"] == []
    for said in (
        "https://book.example/waitlist/token-1",
        "When: Saturday, 30 October 2027 (or up to 2 days earlier or later)",
        "Time: 18:00 to 21:30",
        "For: 2 guests",
        "You wait for: Dinner",
        "Where: Chez Paulette",
        "Place in line: 3",
    ):
        assert said in mail["text"]
    assert await desk.kinds() == [(MailKind.WAITLIST_JOINED, MailStatus.SENT)]


@pytest.mark.parametrize(
    "status",
    [
        waitlist_pb2.WAITLIST_STATUS_WITHDRAWN,
        waitlist_pb2.WAITLIST_STATUS_CLOSED,
        waitlist_pb2.WAITLIST_STATUS_EXPIRED,
        waitlist_pb2.WAITLIST_STATUS_OFFERED,
    ],
)
async def test_whoever_waits_no_more_when_the_event_comes_is_not_told(
    desk: Desk,
    waiting: waitlist_pb2.WaitlistEntry,
    sink: MailSink,
    status: "waitlist_pb2.WaitlistStatus.ValueType",
) -> None:
    waiting.status = status
    await desk.deliver(joined(desk))
    await desk.deliver(asked(desk))
    await desk.run_due()
    assert sink.received(desk.email) == []
    assert await desk.kinds() == [(MailKind.WAITLIST_JOINED, MailStatus.CANCELLED)] * 2


async def test_a_link_that_is_asked_for_comes_in_the_same_mail_and_is_fresh(
    desk: Desk, waiting: waitlist_pb2.WaitlistEntry, sink: MailSink
) -> None:
    await desk.deliver(joined(desk))
    await desk.run_due()
    await desk.deliver(asked(desk, SOON + timedelta(minutes=1)))
    await desk.run_due()
    first, second = sink.received(desk.email)
    assert first["subject"] == second["subject"]
    assert "/waitlist/token-2" in second["text"]
    assert second["text"] == first["text"].replace("token-1", "token-2")


async def test_a_mail_box_is_not_flooded_and_the_last_mail_says_what_is_true(
    desk: Desk, waiting: waitlist_pb2.WaitlistEntry, sink: MailSink
) -> None:
    """The first mail, one in the hour of the changes, one in the hour after it: three for ten events."""
    await desk.deliver(joined(desk))
    await desk.run_due()
    for number in range(9):
        waiting.party_size = 3 + number
        at = SOON + timedelta(minutes=5 * number)
        await desk.deliver(asked(desk, at) if number % 2 else joined(desk, 2 + number, at))
        await desk.run_due()
    assert len(sink.received(desk.email)) == 2
    (later,) = await scheduled(desk.app.db, SEND_MAIL)
    assert later.due_at == SOON.replace(second=0) + timedelta(hours=1)
    await desk.fire(SEND_MAIL)
    assert "For: 11 guests" in sink.received(desk.email)[2]["text"]
    assert await scheduled(desk.app.db, SEND_MAIL) == []
