"""Mails about accounts: what auth answers becomes a letter; links lead to the public URL and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from comptoir.auth.v1 import credential_pb2
from comptoir.auth.v1 import events_pb2 as auth_events
from notification.domain.accounts import AccountMail, MissingDomain, OperatorVisit
from notification.domain.mails import MailKind, MailStatus
from notification.mails import account_letters, rendering
from notification.mails.texts import LANGUAGES, load
from notification.tables import NOTIFICATIONS
from servicekit import ids
from testkit.events import event_of

from .conftest import Desk, MailSink
from .owners import Owners

AT = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
KINDS = sorted(load("en")["account"])
PAGES = {
    "password_reset": "/reset-password?token=a%2Bb%2Fc",
    "email_change": "/confirm-email?token=a%2Bb%2Fc",
    "email_changed": "/revert-email?token=a%2Bb%2Fc",
    "password_changed": "/forgot-password",
    "new_device": "/forgot-password",
    "totp_added": "/forgot-password",
    "totp_removed": "/forgot-password",
    "passkey_added": "/forgot-password",
    "passkey_removed": "/forgot-password",
    "identity_linked": "/forgot-password",
    "recovery_codes_renewed": "/forgot-password",
    "recovery_code_used": "/forgot-password",
}


def said(kind: str, **changed: Any) -> AccountMail:
    values: dict[str, Any] = {
        "email": "paulette@example.org",
        "name": "Paulette",
        "language": "en",
        "kind": kind,
        "token": "a+b/c",
        "device": "",
        "address": "",
        "occurred_at": AT,
    }
    return AccountMail(**(values | changed))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_mail_about_an_account_renders_with_its_link_or_none(kind: str, language: str) -> None:
    letter = account_letters.about_account(said(kind, language=language), public_url="https://book.example/")
    page, text = rendering.html(letter), rendering.text(letter)
    assert letter.link == (f"https://book.example{PAGES[kind]}" if kind in PAGES else "")
    assert (letter.link in text) and (f'href="{letter.link}"' in page) if letter.link else "href" not in page
    assert "{" not in text
    assert "Paulette" in text


def test_a_new_device_is_named_with_its_place_and_time_and_stays_text() -> None:
    mail = said("new_device", device="<b>Firefox</b> on Linux", address="2001:db8::7")
    letter = account_letters.about_account(mail, public_url="https://book.example")
    text = rendering.text(letter)
    assert "Device: <b>Firefox</b> on Linux" in text
    assert "Network address: 2001:db8::7" in text
    assert "When: Sunday, 31 October 2027 at 00:30 (UTC)" in text
    assert "<b>Firefox" not in rendering.html(letter)


VISIT = OperatorVisit("Chez Paulette", "Sylvie", "The guests cannot book", "T-17", 30, write=True)


@pytest.mark.parametrize(
    ("language", "visit", "lines"),
    [
        (
            "en",
            VISIT,
            [
                "Organization: Chez Paulette",
                "Operator: Sylvie",
                "Reason: The guests cannot book (T-17)",
                "For: 30 minutes at most",
                "May: look, and change bookings and venues",
                "When: Sunday, 31 October 2027 at 00:30 (UTC)",
            ],
        ),
        (
            "en",
            replace(VISIT, minutes=1, write=False),
            ["For: 1 minute at most", "May: look, and change nothing"],
        ),
        ("fr", VISIT, ["Motif : The guests cannot book (T-17)", "Durée : 30 minutes au plus"]),
    ],
)
def test_owners_are_told_who_has_access_why_and_for_how_long(
    language: str, visit: OperatorVisit, lines: list[str]
) -> None:
    mail = said("operator_access", visit=visit, language=language)
    letter = account_letters.about_account(mail, public_url="https://book.example")
    assert letter.subject.endswith("Chez Paulette")
    text = rendering.text(letter).replace("\u202f", " ").replace("\xa0", " ")
    assert [each for each in lines if each not in text] == []
    unsafe = replace(mail, visit=replace(visit, reason="<b>look</b>"))
    assert "<b>look" not in rendering.html(
        account_letters.about_account(unsafe, public_url="https://book.example")
    )


@pytest.mark.parametrize(
    ("language", "until", "line"),
    [
        ("en", AT, "Counts until: Sunday, 31 October 2027 at 00:30 (UTC)"),
        ("fr", AT, "au : dimanche 31 octobre 2027"),
        ("en", None, "Domain: corp.example"),
    ],
)
def test_owners_are_told_which_domain_and_until_when(
    language: str, until: datetime | None, line: str
) -> None:
    kind = "domain_missing" if until else "domain_lost"
    mail = said(kind, domain=MissingDomain("corp.example", until), language=language)
    letter = account_letters.about_account(mail, public_url="https://book.example")
    assert "corp.example" in letter.subject
    text = rendering.text(letter).replace("\u202f", " ").replace("\xa0", " ")
    assert line in text
    assert ("2027" in text) == (until is not None)


async def test_what_auth_says_of_a_domain_arrives_in_the_mail(
    desk: Desk, owners: Owners, sink: MailSink
) -> None:
    mail_id = ids.show("aml", ids.new())
    answer = answer_for(desk, "domain_missing")
    answer.domain.domain = "corp.example"
    answer.domain.verified_until.FromDatetime(AT)
    owners.account_mails[mail_id] = answer
    assert await desk.deliver(event_of(auth_events.AccountMailRequested(mail_id=mail_id), None))
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert "corp.example" in mail["subject"]
    assert "2027" in mail["text"]


@pytest.mark.parametrize(
    ("language", "line"), [("en", "Organization: Chez Paulette"), ("fr", "Organisation : Chez Paulette")]
)
async def test_whose_sessions_were_ended_is_told_where(
    desk: Desk, owners: Owners, sink: MailSink, language: str, line: str
) -> None:
    mail_id = ids.show("aml", ids.new())
    answer = answer_for(desk, "sessions_ended")
    answer.organization_name, answer.language = "Chez Paulette", language
    answer.occurred_at.FromDatetime(AT)
    owners.account_mails[mail_id] = answer
    assert await desk.deliver(event_of(auth_events.AccountMailRequested(mail_id=mail_id), None))
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert "Chez Paulette" in mail["subject"]
    text = mail["text"].replace("\u202f", " ").replace("\xa0", " ")
    assert line in text
    assert "2027" in text


@pytest.mark.parametrize(("language", "place"), [("en", "Network address: 2"), ("fr", "Adresse réseau : 2")])
def test_a_change_of_factors_says_from_where(language: str, place: str) -> None:
    mail = said("passkey_added", address="2001:db8::7", language=language)
    text = rendering.text(account_letters.about_account(mail, public_url="https://book.example"))
    assert place in text
    assert "Device" not in text


def answer_for(desk: Desk, kind: str) -> credential_pb2.IssueAccountMailResponse:
    return credential_pb2.IssueAccountMailResponse(
        email=desk.email, display_name="Paulette", language="fr", kind=kind, token="a+b/c"
    )


async def test_a_mail_about_an_account_is_sent_once_and_belongs_to_no_tenant(
    desk: Desk, owners: Owners, sink: MailSink
) -> None:
    mail_id = ids.show("aml", ids.new())
    owners.account_mails[mail_id] = answer_for(desk, "password_reset")
    event = event_of(auth_events.AccountMailRequested(mail_id=mail_id), None)
    assert await desk.deliver(event)
    assert not await desk.deliver(event)
    again = event_of(auth_events.AccountMailRequested(mail_id=mail_id), None)
    assert await desk.deliver(again)
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert mail["subject"] == "Choisissez un nouveau mot de passe"
    assert "https://book.example/reset-password?token=a%2Bb%2Fc" in mail["text"]
    (stored,) = await desk.mails()
    assert (stored.organization, stored.kind, stored.status) == (None, MailKind.ACCOUNT, MailStatus.SENT)
    async with desk.app.db.begin(desk.organization) as tx:
        assert (await tx.execute(sa.select(NOTIFICATIONS.c.id))).all() == []


async def test_nothing_is_sent_when_auth_has_nothing_to_say(desk: Desk) -> None:
    request = auth_events.AccountMailRequested(mail_id=ids.show("aml", ids.new()))
    await desk.deliver(event_of(request, None))
    await desk.run_due()
    assert await desk.kinds() == [(MailKind.ACCOUNT, MailStatus.CANCELLED)]


async def test_a_tenant_cannot_have_a_mail_about_an_account(desk: Desk) -> None:
    row = {"id": ids.new(), "kind": "account", "subject_id": ids.new(), "version": 1, "status": "scheduled"}
    with pytest.raises(IntegrityError, match="notifications_only_accounts_untenanted"):
        async with desk.app.db.begin(desk.organization) as tx:
            await tx.execute(
                sa.insert(NOTIFICATIONS).values(row | {"organization_id": desk.organization, "due_at": AT})
            )
