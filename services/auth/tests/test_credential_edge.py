"""Credentials at the edge behind the real guard: who may call, what is refused, and what is never logged."""

import io
import logging
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from auth.app import App
from auth.domain import account_mails, people
from auth.domain.account_mails import MailKind
from auth.domain.sessions import Session
from auth.servicer import servicers
from comptoir.auth.v1 import credential_pb2 as pb
from comptoir.auth.v1.credential_pb2_grpc import AccountMailServiceStub, CredentialServiceStub
from servicekit import ids
from servicekit.errors import AppError, catalogue
from servicekit.identity import Caller
from servicekit.telemetry import logs
from testkit import outbox
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import PASSWORD, PLACE, People
from .mailbox import the_only, waiting

EMAIL = "paulette@example.org"
MOVED = "paulette@example.com"
NEW = "eleven owls behind the mill"
SERVICES = Path(__file__).parents[2]
WISHES: dict[str, Any] = {
    "ChangePassword": pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW),
    "ChangeEmail": pb.ChangeEmailRequest(email=MOVED),
    "DeleteAccount": pb.DeleteAccountRequest(),
}


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def paulette(people: People) -> Caller:
    await people.own(EMAIL)
    return in_session(await people.session(await people.log_in(EMAIL)))


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the process logs meanwhile, as it would in production but for its level: everything."""
    root, hook, stream = logging.getLogger(), sys.excepthook, io.StringIO()
    handlers, level = root.handlers, root.level
    logs.setup("auth", "DEBUG")
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def in_session(session: Session) -> Caller:
    who = member(session.organization_id)
    return replace(who, user=session.user_id, session=session.id, address=PLACE)


async def call(edge: Edge, method: str, request: Any, caller: Caller | None = None) -> Any:
    visitor = replace(anonymous(), address=PLACE)
    return await edge.call(CredentialServiceStub, method, request, caller=caller or visitor)


async def refusal(edge: Edge, method: str, request: Any, caller: Caller | None = None) -> str:
    with pytest.raises(AppError) as caught:
        await call(edge, method, request, caller)
    return caught.value.reason


async def issue(edge: Edge, mail_id: str) -> pb.IssueAccountMailResponse:
    answer: pb.IssueAccountMailResponse = await edge.call(
        AccountMailServiceStub,
        "IssueAccountMail",
        pb.IssueAccountMailRequest(mail_id=mail_id),
        caller=service("notification"),
    )
    return answer


@pytest.mark.parametrize("method", WISHES)
async def test_an_old_log_in_a_key_and_an_operator_change_no_credentials(
    edge: Edge, app: App, paulette: Caller, method: str
) -> None:
    stale = replace(paulette, authenticated_at=paulette.authenticated_at - 3601)
    assert await refusal(edge, method, WISHES[method], stale) == "FRESH_AUTHENTICATION_REQUIRED"
    key = replace(paulette, session=None, key=ids.new())
    assert await refusal(edge, method, WISHES[method], key) == "PERMISSION_DENIED"
    operator = replace(paulette, operator=ids.new())
    assert await refusal(edge, method, WISHES[method], operator) == "PERMISSION_DENIED"
    assert await waiting(app) == []


async def test_an_account_goes_all_the_way_through_the_edge(
    edge: Edge, app: App, people: People, paulette: Caller
) -> None:
    await call(edge, "ChangePassword", WISHES["ChangePassword"], paulette)
    await call(edge, "ForgotPassword", pb.ForgotPasswordRequest(email=EMAIL))
    (asked,) = await waiting(app, MailKind.PASSWORD_RESET)
    mail = await issue(edge, ids.show("aml", asked))
    assert (mail.email, mail.display_name, mail.language, mail.kind) == (
        EMAIL,
        "Paulette",
        "fr",
        "password_reset",
    )
    await call(edge, "ResetPassword", pb.ResetPasswordRequest(token=mail.token, new_password=PASSWORD))
    assert await issue(edge, ids.show("aml", asked)) == pb.IssueAccountMailResponse()
    assert await refusal(edge, "ChangeEmail", WISHES["ChangeEmail"], paulette) == "UNAUTHENTICATED"
    paulette = in_session(await people.session(await people.log_in(EMAIL)))
    await call(edge, "ChangeEmail", WISHES["ChangeEmail"], paulette)
    moving = await the_only(app, MailKind.EMAIL_CHANGE)
    await call(edge, "ConfirmEmailChange", pb.ConfirmEmailChangeRequest(token=moving.token))
    back = await the_only(app, MailKind.EMAIL_CHANGED)
    await call(edge, "RevertEmailChange", pb.RevertEmailChangeRequest(token=back.token))
    paulette = in_session(await people.session(await people.log_in(EMAIL)))
    assert await refusal(edge, "DeleteAccount", pb.DeleteAccountRequest(), paulette) == "SOLE_OWNER"


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("ForgotPassword", pb.ForgotPasswordRequest(email="nobody"), "INVALID_REQUEST"),
        ("ResetPassword", pb.ResetPasswordRequest(token="x", new_password="short"), "INVALID_REQUEST"),
        ("ResetPassword", pb.ResetPasswordRequest(token="\x00", new_password=NEW), "LINK_INVALID"),
        ("ConfirmEmailChange", pb.ConfirmEmailChangeRequest(token="é"), "LINK_INVALID"),
        ("RevertEmailChange", pb.RevertEmailChangeRequest(token="x" * 200), "LINK_INVALID"),
    ],
)
async def test_bad_input_gets_its_reason(edge: Edge, method: str, request_: Any, reason: str) -> None:
    assert await refusal(edge, method, request_) == reason


async def test_no_answer_tells_whether_an_address_is_known_or_asked_for_too_often(
    edge: Edge, paulette: Caller
) -> None:
    for email in (EMAIL, "nobody@example.org", EMAIL, EMAIL, EMAIL):
        answer = await call(edge, "ForgotPassword", pb.ForgotPasswordRequest(email=email))
        assert answer == pb.ForgotPasswordResponse()
    for email in (MOVED, EMAIL, "a@example.org", "b@example.org", "c@example.org"):
        answer = await call(edge, "ChangeEmail", pb.ChangeEmailRequest(email=email), paulette)
        assert answer == pb.ChangeEmailResponse()


async def test_only_notification_learns_what_a_mail_says(edge: Edge) -> None:
    request = pb.IssueAccountMailRequest(mail_id=ids.show("aml", ids.new()))
    for caller, reason in (
        (anonymous(), "UNAUTHENTICATED"),
        (member(ids.new()), "UNAUTHENTICATED"),
        (service("booking"), "PERMISSION_DENIED"),
    ):
        with pytest.raises(AppError) as caught:
            await edge.call(AccountMailServiceStub, "IssueAccountMail", request, caller=caller)
        assert caught.value.reason == reason
    assert await issue(edge, request.mail_id) == pb.IssueAccountMailResponse()
    with pytest.raises(AppError) as caught:
        await issue(edge, "aml_nonsense")
    assert caught.value.reason == "ACCOUNT_MAIL_NOT_FOUND"


async def test_no_secret_and_no_address_is_in_logs_and_events(
    edge: Edge, app: App, people: People, paulette: Caller, logged: io.StringIO
) -> None:
    await call(edge, "ChangePassword", WISHES["ChangePassword"], paulette)
    await refusal(edge, "ChangePassword", WISHES["ChangePassword"], paulette)
    await call(edge, "ForgotPassword", pb.ForgotPasswordRequest(email=EMAIL))
    reset = (await the_only(app, MailKind.PASSWORD_RESET)).token
    wish = pb.ResetPasswordRequest(token=reset, new_password=PASSWORD)
    await call(edge, "ResetPassword", wish)
    await refusal(edge, "ResetPassword", wish)
    paulette = in_session(await people.session(await people.log_in(EMAIL)))
    await call(edge, "ChangeEmail", WISHES["ChangeEmail"], paulette)
    moved = (await the_only(app, MailKind.EMAIL_CHANGE)).token
    await call(edge, "ConfirmEmailChange", pb.ConfirmEmailChangeRequest(token=moved))
    back = (await the_only(app, MailKind.EMAIL_CHANGED)).token
    await call(edge, "RevertEmailChange", pb.RevertEmailChangeRequest(token=back))
    logging.getLogger("control").info("was %s logged", "anything")
    written = logged.getvalue()
    events = str([each.SerializeToString() for each in await outbox.published(app.db)])
    assert "was anything logged" in written
    for secret in (PASSWORD, NEW, EMAIL, MOVED, reset, moved, back):
        assert secret not in written
        assert secret not in events


@pytest.mark.parametrize("language", ["en", "fr"])
def test_notification_has_a_text_for_every_mail_that_is_asked_for(language: str) -> None:
    texts = SERVICES / "notification" / "notification" / "mails" / "texts" / f"{language}.toml"
    assert set(tomllib.loads(texts.read_text(encoding="utf-8"))["account"]) == {
        each.value for each in MailKind
    }


def test_the_catalogue_lists_every_refusal_about_credentials() -> None:
    modules = {account_mails.__name__, people.__name__}
    ours = {each.reason: each.kind.http_status for each in catalogue() if each.__module__ in modules}
    assert ours == {"ACCOUNT_MAIL_NOT_FOUND": 404, "LINK_INVALID": 404, "SOLE_OWNER": 409}
