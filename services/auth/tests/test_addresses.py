"""Moving an account to another address and back, on a real database."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import LinkInvalid, MailKind
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.sessions import EndReason, RefreshTokenInvalid, RefreshTokenReused
from auth.store import audit
from auth.tables import ACCOUNT_MAILS, USERS, WISH_COUNTS
from auth.usecases import addresses, credentials, own_sessions, registration, sessions
from servicekit.errors import Unauthenticated

from .conftest import PASSWORD, PLACE, People
from .mailbox import the_only, waiting, written

OLD = "paulette@example.org"
NEW = "paulette@example.com"
ANOTHER = "a longer word than before"
VISITOR = Author(ActorKind.NOBODY, address=PLACE)


async def user_of(people: People, email: str = OLD) -> UUID:
    return (await people.session(await people.log_in(email))).user_id


async def ask(app: App, user_id: UUID, email: str = NEW) -> str:
    """Asks for a link to the new address and answers its token."""
    await addresses.ask_to_change_email(app, user_id, email, by=VISITOR)
    return (await the_only(app, MailKind.EMAIL_CHANGE)).token


async def move(app: App, user_id: UUID, email: str = NEW) -> str:
    """Moves the account, and answers the token that takes it back."""
    await addresses.confirm_email_change(app, await ask(app, user_id, email), by=VISITOR)
    return (await written(app, MailKind.EMAIL_CHANGED))[-1].token


async def revert(app: App, token: str) -> None:
    await addresses.revert_email_change(app, token, by=VISITOR)


async def addresses_kept(app: App) -> list[str]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return sorted((await tx.execute(sa.select(USERS.c.email))).scalars())


async def test_the_link_to_the_new_address_moves_the_account_and_the_old_one_is_told(
    app: App, people: People
) -> None:
    await people.own(OLD)
    tokens = await people.log_in(OLD)
    user_id = (await people.session(tokens)).user_id
    await addresses.ask_to_change_email(app, user_id, " Paulette@Example.com", by=VISITOR)
    mail = await the_only(app, MailKind.EMAIL_CHANGE)
    assert (mail.email, mail.display_name, mail.language) == (NEW, "Paulette", "fr")
    assert await addresses_kept(app) == [OLD]
    await addresses.confirm_email_change(app, mail.token, by=VISITOR)
    assert await addresses_kept(app) == [NEW]
    assert (await people.log_in(NEW)).access_token
    with pytest.raises(InvalidCredentials):
        await people.log_in(OLD)
    told = await the_only(app, MailKind.EMAIL_CHANGED)
    assert (told.email, bool(told.token)) == (OLD, True)
    assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        log = await audit.list_entries(tx, PLATFORM_CHAIN)
    assert [each.action for each in log] == [Action.EMAIL_CHANGED]
    assert "example" not in str((log[0].target, log[0].before, log[0].after))


async def test_a_link_moves_the_account_once_and_only_the_newest_does(app: App, people: People) -> None:
    await people.own(OLD)
    user_id = await user_of(people)
    older = await ask(app, user_id, "third@example.com")
    newest = await ask(app, user_id)
    with pytest.raises(LinkInvalid):
        await addresses.confirm_email_change(app, older, by=VISITOR)
    await addresses.confirm_email_change(app, newest, by=VISITOR)
    with pytest.raises(LinkInvalid):
        await addresses.confirm_email_change(app, newest, by=VISITOR)
    assert await addresses_kept(app) == [NEW]


async def test_a_link_serves_what_it_was_mailed_for_and_nothing_else(app: App, people: People) -> None:
    await people.own(OLD)
    user_id = await user_of(people)
    there = await ask(app, user_id)
    with pytest.raises(LinkInvalid):
        await revert(app, there)
    await addresses.confirm_email_change(app, there, by=VISITOR)
    back = await the_only(app, MailKind.EMAIL_CHANGED)
    with pytest.raises(LinkInvalid):
        await addresses.confirm_email_change(app, back.token, by=VISITOR)
    assert await addresses_kept(app) == [NEW]


async def test_a_link_to_a_new_address_holds_a_day(app: App, people: People) -> None:
    await people.own(OLD)
    token = await ask(app, await user_of(people))
    await people.age(ACCOUNT_MAILS, timedelta(hours=24))
    with pytest.raises(LinkInvalid):
        await addresses.confirm_email_change(app, token, by=VISITOR)


async def test_nobody_learns_that_an_address_is_taken_and_nothing_is_mailed_there(
    app: App, people: People
) -> None:
    await people.own(OLD)
    await people.own("marcel@example.org")
    await addresses.ask_to_change_email(app, await user_of(people), "marcel@example.org", by=VISITOR)
    assert len(await waiting(app, MailKind.EMAIL_CHANGE)) == 1
    assert await written(app, MailKind.EMAIL_CHANGE) == []


async def test_of_two_who_want_one_address_at_once_one_gets_it(app: App, people: People) -> None:
    await people.own(OLD)
    await people.own("marcel@example.org")
    wishes = []
    for email in (OLD, "marcel@example.org"):
        await addresses.ask_to_change_email(app, await user_of(people, email), NEW, by=VISITOR)
        wishes = await written(app, MailKind.EMAIL_CHANGE)
    registered = await people.register(NEW)
    answers = await asyncio.gather(
        *(addresses.confirm_email_change(app, each.token, by=VISITOR) for each in wishes),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in answers) == ["LinkInvalid", "NoneType"]
    assert (await addresses_kept(app)).count(NEW) == 1
    assert await registration.issue_verification(app, registered) is None


async def test_the_fourth_wish_within_an_hour_is_let_go(app: App, people: People) -> None:
    await people.own(OLD)
    user_id = await user_of(people)
    seen = set()
    for number in range(5):
        await addresses.ask_to_change_email(app, user_id, f"paulette{number}@example.com", by=VISITOR)
        seen |= set(await waiting(app, MailKind.EMAIL_CHANGE))
    assert len(seen) == 3
    await people.age(WISH_COUNTS, timedelta(hours=1))
    await addresses.ask_to_change_email(app, user_id, NEW, by=VISITOR)
    assert not set(await waiting(app, MailKind.EMAIL_CHANGE)) <= seen


async def test_whoever_is_no_user_any_more_changes_no_address(app: App) -> None:
    with pytest.raises(Unauthenticated):
        await addresses.ask_to_change_email(app, UUID(int=1), NEW, by=VISITOR)


async def test_the_old_address_takes_the_change_back_logs_all_out_and_sets_a_password(
    app: App, people: People
) -> None:
    await people.own(OLD)
    back = await move(app, await user_of(people))
    thief = await people.log_in(NEW)
    await credentials.forget_password(app, NEW, by=VISITOR)
    reset_by_thief = await the_only(app, MailKind.PASSWORD_RESET)
    await revert(app, back)
    assert await addresses_kept(app) == [OLD]
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, thief.refresh_token)
    assert (await people.session(thief)).end_reason is EndReason.EMAIL_REVERTED
    with pytest.raises(LinkInvalid):
        await credentials.reset_password(app, reset_by_thief.token, new=PASSWORD + "!", by=VISITOR)
    reset = await the_only(app, MailKind.PASSWORD_RESET)
    assert reset.email == OLD
    await credentials.reset_password(app, reset.token, new="nine foxes under the bridge", by=VISITOR)
    with pytest.raises(LinkInvalid):
        await revert(app, back)


async def test_a_change_can_be_taken_back_for_seven_days(app: App, people: People) -> None:
    await people.own(OLD)
    back = await move(app, await user_of(people))
    await people.age(ACCOUNT_MAILS, timedelta(days=6, hours=23))
    assert await written(app, MailKind.EMAIL_CHANGED)
    await people.age(ACCOUNT_MAILS, timedelta(hours=1))
    with pytest.raises(LinkInvalid):
        await revert(app, back)


async def test_the_first_address_wins_over_all_that_a_thief_moved_to_afterwards(
    app: App, people: People
) -> None:
    await people.own(OLD)
    user_id = await user_of(people)
    owner = await move(app, user_id, "second@example.com")
    thief = await move(app, user_id, "third@example.com")
    await addresses.ask_to_change_email(app, user_id, "fourth@example.com", by=VISITOR)
    pending = (await the_only(app, MailKind.EMAIL_CHANGE)).token
    await revert(app, thief)
    assert await addresses_kept(app) == ["second@example.com"]
    with pytest.raises(LinkInvalid):
        await addresses.confirm_email_change(app, pending, by=VISITOR)
    await revert(app, owner)
    assert await addresses_kept(app) == [OLD]


async def test_the_owner_who_came_first_leaves_a_thief_no_way_back(app: App, people: People) -> None:
    await people.own(OLD)
    user_id = await user_of(people)
    owner = await move(app, user_id, "second@example.com")
    thief = await move(app, user_id, "third@example.com")
    await revert(app, owner)
    with pytest.raises(LinkInvalid):
        await revert(app, thief)
    assert await addresses_kept(app) == [OLD]


async def test_an_address_that_somebody_else_has_by_now_is_not_taken_back(app: App, people: People) -> None:
    await people.own(OLD)
    back = await move(app, await user_of(people))
    await people.own(OLD)
    with pytest.raises(LinkInvalid):
        await revert(app, back)
    assert await addresses_kept(app) == sorted([OLD, NEW])


async def test_whoever_is_shut_out_confirms_no_change_that_they_asked_for(app: App, people: People) -> None:
    """Somebody in a stolen session asks; the owner shuts them out in each of the ways that there are."""
    await people.own(OLD)
    mine = await people.session(await people.log_in(OLD))
    user_id, me = mine.user_id, Author(ActorKind.USER, mine.user_id, address=PLACE, session=mine.id)

    async def revoke() -> None:
        stolen = await people.session(await people.log_in(OLD))
        await own_sessions.end_session(app, user_id, stolen.id, reason=EndReason.REVOKED, by=me)

    async def everywhere() -> None:
        await own_sessions.log_out_everywhere(app, user_id, keep=mine.id, by=me)

    async def change() -> None:
        await credentials.change_password(app, user_id, mine.id, old=PASSWORD, new=ANOTHER, by=me)

    async def reset() -> None:
        await credentials.forget_password(app, OLD, by=VISITOR)
        token = (await written(app, MailKind.PASSWORD_RESET))[-1].token
        await credentials.reset_password(app, token, new=PASSWORD, by=VISITOR)

    for shut_out in (revoke, everywhere, change, reset):
        async with app.db.begin_platform(reason="let somebody wish again in a test") as tx:
            await tx.execute(sa.delete(WISH_COUNTS))
        token = await ask(app, user_id)
        await shut_out()
        with pytest.raises(LinkInvalid):
            await addresses.confirm_email_change(app, token, by=VISITOR)
    assert await addresses_kept(app) == [OLD]


async def test_a_token_that_is_used_twice_voids_a_change_that_is_not_confirmed(
    app: App, people: People
) -> None:
    await people.own(OLD)
    first = await people.log_in(OLD)
    tokens = first
    for _ in range(2):
        tokens = await sessions.refresh_session(app, tokens.refresh_token)
    token = await ask(app, (await people.session(first)).user_id)
    with pytest.raises(RefreshTokenReused):
        await sessions.refresh_session(app, first.refresh_token)
    with pytest.raises(LinkInvalid):
        await addresses.confirm_email_change(app, token, by=VISITOR)


async def test_whoever_asks_and_logs_out_confirms_it_later(app: App, people: People) -> None:
    await people.own(OLD)
    session = await people.session(await people.log_in(OLD))
    token = await ask(app, session.user_id)
    me = Author(ActorKind.USER, session.user_id, address=PLACE)
    await own_sessions.end_session(app, session.user_id, session.id, reason=EndReason.LOGGED_OUT, by=me)
    await addresses.confirm_email_change(app, token, by=VISITOR)
    assert await addresses_kept(app) == [NEW]
