"""Changing the own password, and setting one by a link, on a real database."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import LinkInvalid, MailKind
from auth.domain.accounts import InvalidCredentials, TooManyAttempts, token_hash
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.passwords import PasswordTooCommon
from auth.domain.sessions import EndReason, RefreshTokenInvalid, Session
from auth.store import audit
from auth.tables import ACCOUNT_LINKS, ACCOUNT_MAILS, WISH_COUNTS
from auth.timers import TIMERS
from auth.usecases import addresses, credentials, own_sessions, sessions
from auth.usecases.account_mails import FORGET_ACCOUNT_MAIL, issue_account_mail
from comptoir.auth.v1 import events_pb2
from servicekit import ids
from testkit import outbox, timers

from .conftest import PASSWORD, PLACE, People
from .mailbox import the_only, waiting, written

EMAIL = "paulette@example.org"
NEW = "eleven owls behind the mill"
VISITOR = Author(ActorKind.NOBODY, address=PLACE)


def by(session: Session) -> Author:
    return Author(ActorKind.USER, session.user_id, address=PLACE)


async def change(app: App, session: Session, *, old: str = PASSWORD, new: str = NEW) -> None:
    await credentials.change_password(app, session.user_id, session.id, old=old, new=new, by=by(session))


async def forget(app: App, email: str = EMAIL, *, address: str = PLACE) -> None:
    await credentials.forget_password(app, email, by=Author(ActorKind.NOBODY, address=address))


async def reset(app: App, token: str, *, new: str = NEW) -> None:
    await credentials.reset_password(app, token, new=new, by=VISITOR)


async def actions(app: App) -> list[tuple[Action, str]]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return [(each.action, each.target) for each in await audit.list_entries(tx, PLATFORM_CHAIN)]


async def test_a_changed_password_logs_in_the_old_one_does_not_and_a_mail_tells_of_it(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    await change(app, session)
    with pytest.raises(InvalidCredentials):
        await people.log_in(EMAIL)
    assert (await people.log_in(EMAIL, password=NEW)).access_token
    mail = await the_only(app, MailKind.PASSWORD_CHANGED)
    assert (mail.email, mail.display_name, mail.language, mail.token) == (EMAIL, "Paulette", "fr", "")
    (asked,) = await waiting(app)
    assert (await outbox.published(app.db))[-1] == events_pb2.AccountMailRequested(
        mail_id=ids.show("aml", asked)
    )
    assert await actions(app) == [(Action.PASSWORD_CHANGED, ids.show("usr", session.user_id))]


async def test_a_changed_password_ends_all_other_sessions(app: App, people: People) -> None:
    await people.own(EMAIL)
    others = [await people.log_in(EMAIL) for _ in range(3)]
    present = await people.log_in(EMAIL)
    await change(app, await people.session(present))
    for tokens in others:
        with pytest.raises(RefreshTokenInvalid):
            await sessions.refresh_session(app, tokens.refresh_token)
        assert (await people.session(tokens)).end_reason is EndReason.PASSWORD_CHANGED
    assert (await sessions.refresh_session(app, present.refresh_token)).access_token
    revoked, _ = await own_sessions.list_revocations(app, None)
    assert len(revoked) == 3


async def test_another_old_password_changes_nothing_and_is_counted_apart_from_log_ins(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await change(app, session, old="a guess and another")
    with pytest.raises(TooManyAttempts):
        await change(app, session)
    assert (await people.log_in(EMAIL)).access_token
    assert await waiting(app) == []


@pytest.mark.parametrize("new", ["password1234", "chez paulette 1987", "my own paulette x", PASSWORD[:11]])
async def test_a_new_password_that_anybody_guesses_is_refused(app: App, people: People, new: str) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    with pytest.raises(PasswordTooCommon) as refusal:
        await change(app, session, new=new)
    assert [each.pointer for each in refusal.value.violations] == ["/new_password"]
    assert (await people.log_in(EMAIL)).access_token


async def test_of_two_changes_at_once_one_holds_and_the_other_is_refused(app: App, people: People) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    wished = [NEW, "nine foxes under the bridge"]
    answers = await asyncio.gather(
        *(change(app, session, new=each) for each in wished), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in answers) == ["InvalidCredentials", "NoneType"]
    kept = wished[answers.index(None)]
    assert (await people.log_in(EMAIL, password=kept)).access_token


async def test_a_link_sets_the_password_once_ends_every_session_and_opens_none(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    before = await people.log_in(EMAIL)
    await forget(app, " Paulette@Example.org ")
    mail = await the_only(app, MailKind.PASSWORD_RESET)
    assert (mail.email, mail.display_name, mail.language) == (EMAIL, "Paulette", "fr")
    await reset(app, mail.token)
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, before.refresh_token)
    session = await people.session(before)
    assert session.end_reason is EndReason.PASSWORD_RESET
    listed = await own_sessions.log_out_everywhere(app, session.user_id, keep=None, by=by(session))
    assert listed == 0
    with pytest.raises(LinkInvalid):
        await reset(app, mail.token, new="nine foxes under the bridge")
    assert (await people.log_in(EMAIL, password=NEW)).access_token
    assert (await the_only(app, MailKind.PASSWORD_CHANGED)).email == EMAIL
    assert await actions(app) == [(Action.PASSWORD_RESET, ids.show("usr", session.user_id))]


async def test_only_the_hash_of_a_link_is_kept(app: App, people: People) -> None:
    await people.own(EMAIL)
    await forget(app)
    mail = await the_only(app, MailKind.PASSWORD_RESET)
    assert len(mail.token) == 43
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        kept = (await tx.execute(sa.select(ACCOUNT_LINKS.c.token_hash))).scalars().all()
        row = (await tx.execute(sa.select(ACCOUNT_MAILS))).one()
    assert kept == [token_hash(mail.token)]
    assert mail.token not in str(tuple(row))


async def test_a_mail_that_was_posted_twice_has_two_links_that_hold_until_one_is_used(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    await forget(app)
    first = await the_only(app, MailKind.PASSWORD_RESET)
    second = await the_only(app, MailKind.PASSWORD_RESET)
    await reset(app, first.token)
    with pytest.raises(LinkInvalid):
        await reset(app, second.token)


async def test_a_newer_wish_voids_the_links_before(app: App, people: People) -> None:
    await people.own(EMAIL)
    await forget(app)
    older = await the_only(app, MailKind.PASSWORD_RESET)
    (superseded,) = await waiting(app)
    await forget(app)
    with pytest.raises(LinkInvalid):
        await reset(app, older.token)
    assert await issue_account_mail(app, superseded) is None
    await reset(app, (await the_only(app, MailKind.PASSWORD_RESET)).token)


async def test_a_link_holds_half_an_hour(app: App, people: People) -> None:
    await people.own(EMAIL)
    await forget(app)
    mail = await the_only(app, MailKind.PASSWORD_RESET)
    await people.age(ACCOUNT_MAILS, timedelta(minutes=29))
    assert await written(app, MailKind.PASSWORD_RESET)
    await people.age(ACCOUNT_MAILS, timedelta(minutes=1))
    with pytest.raises(LinkInvalid):
        await reset(app, mail.token)
    assert await written(app, MailKind.PASSWORD_RESET) == []


async def test_what_is_over_is_forgotten_with_its_links(app: App, people: People) -> None:
    await people.own(EMAIL)
    await forget(app)
    await the_only(app, MailKind.PASSWORD_RESET)
    (timer,) = await timers.scheduled(app.db, FORGET_ACCOUNT_MAIL)
    await TIMERS[FORGET_ACCOUNT_MAIL](app, timer)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(sa.select(ACCOUNT_MAILS))).all() == []
        assert (await tx.execute(sa.select(ACCOUNT_LINKS))).all() == []


@pytest.mark.parametrize("token", ["x" * 43, "", "é\x00", "a" * 200])
async def test_a_wrong_token_sets_no_password(app: App, people: People, token: str) -> None:
    await people.own(EMAIL)
    await forget(app)
    with pytest.raises(LinkInvalid):
        await reset(app, token)


async def test_the_link_of_another_kind_of_mail_sets_no_password(app: App, people: People) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    await addresses.ask_to_change_email(app, session.user_id, "new@example.org", by=VISITOR)
    mail = await the_only(app, MailKind.EMAIL_CHANGE)
    with pytest.raises(LinkInvalid):
        await reset(app, mail.token)


async def test_a_refused_password_leaves_the_link_as_it_is(app: App, people: People) -> None:
    await people.own(EMAIL)
    await forget(app)
    token = (await the_only(app, MailKind.PASSWORD_RESET)).token
    with pytest.raises(PasswordTooCommon):
        await reset(app, token, new="paulette of the mill")
    await reset(app, token)


async def test_of_many_who_use_a_link_at_once_one_sets_the_password(app: App, people: People) -> None:
    await people.own(EMAIL)
    await forget(app)
    token = (await the_only(app, MailKind.PASSWORD_RESET)).token
    wished = [f"{number} foxes under the bridge" for number in ("two", "three", "four", "five", "six")]
    answers = await asyncio.gather(*(reset(app, token, new=each) for each in wished), return_exceptions=True)
    assert answers.count(None) == 1
    assert sum(isinstance(each, LinkInvalid) for each in answers) == 4
    assert (await people.log_in(EMAIL, password=wished[answers.index(None)])).access_token


@pytest.mark.parametrize("email", ["nobody@example.org", "waiting@example.org"])
async def test_nobody_is_mailed_at_an_address_without_an_account(
    app: App, people: People, email: str
) -> None:
    await people.register("waiting@example.org")
    await forget(app, email)
    assert await written(app, MailKind.PASSWORD_RESET) == []
    assert len(await waiting(app, MailKind.PASSWORD_RESET)) == 1


async def test_the_fourth_wish_within_an_hour_is_let_go_by_address_and_by_place(
    app: App, people: People
) -> None:
    await people.own(EMAIL)

    async def mails() -> list[UUID]:
        return await waiting(app, MailKind.PASSWORD_RESET)

    seen: set[UUID] = set()
    for number in range(5):
        await forget(app, address=f"192.0.2.{number}")
        seen |= set(await mails())
    assert len(seen) == 3
    for number in range(5):
        await forget(app, f"guest{number}@example.org", address="198.51.100.1")
    assert len(await mails()) == 1 + 3
    await people.age(WISH_COUNTS, timedelta(hours=1))
    await forget(app)
    assert not set(await mails()) <= seen


async def test_a_reset_lifts_the_count_of_failed_log_ins_at_that_place(app: App, people: People) -> None:
    await people.own(EMAIL)
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await people.log_in(EMAIL, password="a guess and another")
    await forget(app)
    await reset(app, (await the_only(app, MailKind.PASSWORD_RESET)).token)
    assert (await people.log_in(EMAIL, password=NEW)).access_token


async def test_a_change_voids_the_links_that_could_undo_it(app: App, people: People) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    await forget(app)
    token = (await the_only(app, MailKind.PASSWORD_RESET)).token
    await change(app, session)
    with pytest.raises(LinkInvalid):
        await reset(app, token, new="nine foxes under the bridge")
