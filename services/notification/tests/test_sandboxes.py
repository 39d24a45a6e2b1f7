"""Sandboxes write to nobody: their mails are kept, shown, and never handed to the mail server."""

from dataclasses import replace

import pytest

from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.auth.v1 import invitation_pb2
from comptoir.booking.v1.events_pb2 import BookingCancelled, BookingConfirmed
from notification.domain.mails import MailKind, MailStatus
from notification.usecases.facts import SEND_MAIL
from servicekit import ids
from testkit.events import event_of
from testkit.timers import scheduled

from .conftest import Desk, MailSink
from .owners import Owners


@pytest.fixture
def sandbox(desk: Desk) -> Desk:
    return replace(desk, organization=ids.new_sandbox())


async def test_no_mail_about_a_booking_leaves(sandbox: Desk, owners: Owners, sink: MailSink) -> None:
    await sandbox.happens(BookingConfirmed)
    await sandbox.fire(SEND_MAIL)
    await sandbox.happens(BookingCancelled)
    await sandbox.run_due()
    assert {mail.status for mail in await sandbox.mails()} <= {MailStatus.SUPPRESSED, MailStatus.CANCELLED}
    assert (MailKind.BOOKING_CONFIRMED, MailStatus.SUPPRESSED) in await sandbox.kinds()
    assert sink.received(sandbox.email) == []
    assert owners.tokens == 0
    assert await scheduled(sandbox.app.db, SEND_MAIL) == []


async def test_the_same_booking_of_the_organization_itself_is_mailed(desk: Desk, sink: MailSink) -> None:
    """The control."""
    await desk.happens(BookingConfirmed)
    await desk.fire(SEND_MAIL)
    assert len(sink.received(desk.email)) == 1


async def test_no_invitation_leaves(sandbox: Desk, owners: Owners, sink: MailSink) -> None:
    invitation = ids.show("inv", ids.new())
    owners.invitations[invitation] = invitation_pb2.IssueInvitationResponse(
        email=sandbox.email, organization_name="Chez Paulette", language="fr", token="a"
    )
    request = auth_events.InvitationRequested(invitation_id=invitation)
    await sandbox.deliver(event_of(request, sandbox.organization))
    await sandbox.run_due()
    assert await sandbox.kinds() == [(MailKind.INVITATION, MailStatus.SUPPRESSED)]
    assert sink.received(sandbox.email) == []
