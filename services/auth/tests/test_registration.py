"""From registering to owning an organization, on a real database."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain import accounts
from auth.domain.accounts import Registration, VerificationTokenInvalid
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.passwords import PasswordTooCommon
from auth.domain.sessions import SessionTokens
from auth.store import accounts as account_store
from auth.store import registrations as store
from auth.tables import EMAIL_VERIFICATIONS, MEMBERSHIPS, ORGANIZATIONS, REGISTRATIONS, USERS, WISH_COUNTS
from auth.usecases import registration
from comptoir.auth.v1 import events_pb2
from servicekit import ids
from servicekit.database import Database
from testkit import outbox

from .conftest import PLACE, People

EMAIL = "paulette@example.org"


async def count(db: Database, table: sa.Table) -> int:
    async with db.begin_platform(reason="look into the database in a test") as tx:
        found: int = (await tx.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
        return found


async def test_registering_asks_for_a_mail_and_makes_no_user_yet(app: App, people: People) -> None:
    registered = await people.register("Paulette@Example.org")
    assert await outbox.published(app.db) == [
        events_pb2.VerificationRequested(user_id=ids.show("usr", registered))
    ]
    assert await count(app.db, USERS) == 0
    kept = await people.registration(registered)
    assert kept is not None
    assert kept.password_hash.startswith("$argon2id$")
    assert (kept.email, kept.display_name, kept.language) == (EMAIL, "Paulette", "fr")


async def test_the_mail_gets_what_it_needs_and_only_the_hash_of_its_token_is_kept(
    app: App, people: People
) -> None:
    mail = await registration.issue_verification(app, await people.register(EMAIL))
    assert mail is not None
    assert (mail.email, mail.display_name, mail.language) == (EMAIL, "Paulette", "fr")
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        kept = (await tx.execute(sa.select(EMAIL_VERIFICATIONS.c.token_hash))).scalars().all()
    assert kept == [accounts.token_hash(mail.token)]
    assert len(mail.token) == 43


async def test_following_the_link_makes_user_organization_and_ownership(app: App, people: People) -> None:
    registered = await people.register(EMAIL)
    organization = await registration.verify_email(app, await people.token_for(registered))
    assert (await outbox.published(app.db))[-1] == events_pb2.OrganizationCreated(
        organization_id=ids.show("org", organization),
        name="Chez Paulette",
        owner_user_id=ids.show("usr", registered),
    )
    async with app.db.begin(organization) as tx:
        rows = (await tx.execute(sa.select(MEMBERSHIPS.c.user_id, MEMBERSHIPS.c.role))).all()
        name = (await tx.execute(sa.select(ORGANIZATIONS.c.name))).scalar_one()
    assert [tuple(row) for row in rows] == [(registered, "owner")]
    assert name == "Chez Paulette"


async def test_following_the_link_is_recorded_by_whoever_followed_it(app: App, people: People) -> None:
    registered = await people.register(EMAIL)
    token = await people.token_for(registered)
    by = Author(ActorKind.NOBODY, address=PLACE, request_id="request-of-the-link")
    organization = await registration.verify_email(app, token, by=by)
    await registration.verify_email(app, token, by=by)
    (entry,) = await people.log(organization)
    assert (entry.action, entry.target) == (Action.ORGANIZATION_CREATED, ids.show("org", organization))
    assert (entry.actor_id, entry.address, entry.request_id) == (registered, PLACE, "request-of-the-link")
    assert entry.after == {"name": "Chez Paulette", "owner": ids.show("usr", registered)}


async def test_following_the_link_again_answers_the_same_organization(app: App, people: People) -> None:
    token = await people.token_for(await people.register(EMAIL))
    first = await registration.verify_email(app, token)
    assert await registration.verify_email(app, token) == first
    assert await count(app.db, ORGANIZATIONS) == 1
    assert len(await outbox.published(app.db)) == 2


async def test_of_many_clicks_at_once_one_makes_the_organization(app: App, people: People) -> None:
    token = await people.token_for(await people.register(EMAIL))
    answers = await asyncio.gather(*(registration.verify_email(app, token) for _ in range(12)))
    assert len(set(answers)) == 1
    assert await count(app.db, ORGANIZATIONS) == await count(app.db, USERS) == 1
    assert len(await outbox.published(app.db)) == 2


@pytest.mark.parametrize("token", ["x" * 43, "", "é\x00", "a" * 200])
async def test_a_wrong_token_is_refused(app: App, token: str) -> None:
    with pytest.raises(VerificationTokenInvalid):
        await registration.verify_email(app, token)


async def test_a_token_expires_after_a_day(app: App, people: People) -> None:
    token = await people.token_for(await people.register(EMAIL))
    await people.age(EMAIL_VERIFICATIONS, timedelta(hours=24))
    with pytest.raises(VerificationTokenInvalid):
        await registration.verify_email(app, token)
    assert await count(app.db, USERS) == 0


async def test_a_used_token_answers_no_longer_than_it_holds(app: App, people: People) -> None:
    token = await people.token_for(await people.register(EMAIL))
    await registration.verify_email(app, token)
    await people.age(EMAIL_VERIFICATIONS, timedelta(hours=24))
    with pytest.raises(VerificationTokenInvalid):
        await registration.verify_email(app, token)


async def test_a_second_mail_leaves_the_first_link_working(app: App, people: People) -> None:
    registered = await people.register(EMAIL)
    first, second = await people.token_for(registered), await people.token_for(registered)
    assert first != second
    assert await registration.verify_email(app, first) == await registration.verify_email(app, second)


async def test_a_link_lends_nobody_elses_password(app: App, people: People) -> None:
    """Whoever registers a foreign address first, or last, gains nothing by it."""
    before = await people.register(EMAIL, password="the stranger came first", name="Eve")
    mine = await people.register(EMAIL)
    after = await people.register(EMAIL, password="the stranger came later", name="Eve")
    links = [await people.token_for(each) for each in (before, mine, after)]
    await registration.verify_email(app, links[1])
    assert isinstance(await people.log_in(EMAIL), SessionTokens)
    for password in ("the stranger came first", "the stranger came later"):
        with pytest.raises(accounts.InvalidCredentials):
            await people.log_in(EMAIL, password=password)
    assert await people.registrations(EMAIL) == [mine]
    for link in (links[0], links[2]):
        with pytest.raises(VerificationTokenInvalid):
            await registration.verify_email(app, link)
    assert await count(app.db, ORGANIZATIONS) == 1


async def test_of_rival_links_followed_at_once_one_wins(app: App, people: People) -> None:
    links = [await people.token_for(await people.register(EMAIL)) for _ in range(3)]
    answers = await asyncio.gather(
        *(registration.verify_email(app, link) for link in links * 3), return_exceptions=True
    )
    organizations = {each for each in answers if not isinstance(each, BaseException)}
    refusals = [each for each in answers if isinstance(each, BaseException)]
    assert len(organizations) == 1
    assert all(isinstance(each, VerificationTokenInvalid) for each in refusals)
    assert len(refusals) == 6
    assert await count(app.db, USERS) == await count(app.db, ORGANIZATIONS) == 1


async def test_the_database_refuses_a_second_user_of_an_address(app: App, people: People) -> None:
    """The last line, should the lock on the address ever be forgotten."""
    await people.own(EMAIL)
    rival = await people.registration(await people.register(EMAIL))
    assert isinstance(rival, Registration)
    with pytest.raises(VerificationTokenInvalid):
        async with app.db.begin_platform(reason="go round the rules in a test") as tx:
            await account_store.insert_user(tx, rival, tx.now)


async def test_registering_a_known_address_does_the_same_and_leads_nowhere(app: App, people: People) -> None:
    await people.own(EMAIL)
    before = len(await outbox.published(app.db))
    registered = await people.register(EMAIL, password="another good password")
    assert len(await outbox.published(app.db)) == before + 1
    assert await registration.issue_verification(app, registered) is None
    with pytest.raises(accounts.InvalidCredentials):
        await people.log_in(EMAIL, password="another good password")
    assert isinstance(await people.log_in(EMAIL), SessionTokens)


async def test_nothing_is_issued_once_verified_or_for_an_unknown_registration(
    app: App, people: People
) -> None:
    registered = await people.register(EMAIL)
    await registration.verify_email(app, await people.token_for(registered))
    assert await registration.issue_verification(app, registered) is None
    assert await registration.issue_verification(app, ids.new()) is None


async def test_at_most_three_registrations_wait_for_an_address_however_many_come_at_once(
    app: App, people: People
) -> None:
    await asyncio.gather(*(people.register(EMAIL) for _ in range(8)))
    assert len(await people.registrations(EMAIL)) == 3
    assert len(await outbox.published(app.db)) == 3
    await people.register("somebody.else@example.org")
    await people.age(REGISTRATIONS, timedelta(hours=24))
    await people.age(WISH_COUNTS, timedelta(hours=6))
    await people.register(EMAIL)
    assert len(await people.registrations(EMAIL)) == 4


async def test_without_the_lock_on_the_address_there_would_be_more_than_three(
    app: App, people: People
) -> None:
    """The control of the test above: the same steps, less the lock."""
    one = await people.registration(await people.register(EMAIL))
    assert isinstance(one, Registration)
    at_once = asyncio.Barrier(6)

    async def register_unlocked() -> None:
        async with app.db.begin_platform(reason="go round the rules in a test") as tx:
            if await store.has_room(tx, EMAIL):
                await at_once.wait()
                copy = Registration.begin(
                    ids.new(),
                    email=EMAIL,
                    display_name="x",
                    organization_name="x",
                    language="",
                    password_hash="x",
                    now=tx.now,
                )
                await store.insert_registration(tx, copy)

    await asyncio.gather(*(register_unlocked() for _ in range(6)))
    assert len(await people.registrations(EMAIL)) == 7


async def test_a_mail_is_sent_again_thrice_in_six_hours_and_at_most_four_times(
    app: App, people: People
) -> None:
    registered = await people.register(EMAIL)
    asked_for = events_pb2.VerificationRequested(user_id=ids.show("usr", registered))

    async def insist() -> None:
        for _ in range(4):
            await registration.resend_verification(app, " PAULETTE@example.org")

    await insist()
    assert await outbox.published(app.db) == [asked_for] * 3
    await people.age(WISH_COUNTS, timedelta(hours=6))
    await insist()
    assert await outbox.published(app.db) == [asked_for] * 5


@pytest.mark.parametrize("email", ["nobody@example.org", "\x00", "known@example.org"])
async def test_nothing_is_sent_again_where_nothing_waits(app: App, people: People, email: str) -> None:
    await people.own("known@example.org")
    before = len(await outbox.published(app.db))
    await registration.resend_verification(app, email)
    assert len(await outbox.published(app.db)) == before


async def test_a_common_password_is_refused_for_known_and_unknown_addresses(app: App, people: People) -> None:
    await people.own(EMAIL)
    for email in (EMAIL, "nobody@example.org"):
        with pytest.raises(PasswordTooCommon):
            await people.register(email, password="password1234")
    assert await people.registrations("nobody@example.org") == []
