"""Mails that invite: what auth answers becomes a letter of the tenant's, or none."""

import pytest

from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.auth.v1 import invitation_pb2
from notification.domain.mails import MailKind, MailStatus
from notification.mails import letters, rendering
from notification.mails.letters import Letter
from notification.mails.texts import LANGUAGES
from servicekit import ids
from testkit.events import event_of

from .conftest import Desk, MailSink
from .owners import Owners


def letter(language: str, *, inviter: str = "Paulette <b>") -> Letter:
    return letters.invitation(
        email="odette@example.org",
        organization="Chez & Co",
        inviter=inviter,
        language=language,
        token="a+b/c",
        public_url="https://book.example/",
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_invitation_says_who_invites_and_where_to(language: str) -> None:
    page, text = rendering.html(letter(language)), rendering.text(letter(language))
    assert "https://book.example/invitation?token=a%2Bb%2Fc" in text
    assert 'href="https://book.example/invitation?token=a%2Bb%2Fc"' in page
    assert "Paulette <b>" in text
    assert "<b>" not in page
    assert "Chez & Co" in text
    assert "{" not in text
    assert "Paulette" not in rendering.text(letter(language, inviter=""))


async def test_each_request_is_mailed_once_and_belongs_to_the_tenant(
    desk: Desk, owners: Owners, sink: MailSink
) -> None:
    invitation = ids.show("inv", ids.new())
    owners.invitations[invitation] = invitation_pb2.IssueInvitationResponse(
        email=desk.email, organization_name="Chez Paulette", inviter_name="Paulette", language="fr", token="a"
    )
    event = event_of(auth_events.InvitationRequested(invitation_id=invitation), desk.organization)
    assert await desk.deliver(event)
    assert not await desk.deliver(event)
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert mail["subject"] == "Vous êtes invité chez Chez Paulette"
    (stored,) = await desk.mails()
    assert (stored.organization, stored.kind, stored.status) == (
        desk.organization,
        MailKind.INVITATION,
        MailStatus.SENT,
    )


async def test_an_invitation_that_is_over_is_not_mailed(desk: Desk) -> None:
    request = auth_events.InvitationRequested(invitation_id=ids.show("inv", ids.new()))
    await desk.deliver(event_of(request, desk.organization))
    await desk.run_due()
    assert await desk.kinds() == [(MailKind.INVITATION, MailStatus.CANCELLED)]
