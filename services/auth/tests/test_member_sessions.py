"""An organization ends all sessions of a member: at once, here alone, told by mail, and not got round."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action, verify
from auth.domain.members import MemberNotFound
from auth.domain.roles import OwnersOnly, PermissionNotHeld
from auth.domain.sessions import EndReason, RefreshTokenInvalid, SessionTokens
from auth.store import members as store
from auth.tables import SESSIONS
from auth.usecases import acceptance, members, organizations, own_sessions, sessions
from servicekit import ids
from servicekit.errors import FreshAuthenticationRequired, Unauthenticated
from servicekit.identity import Caller
from testkit.waiting import eventually, waiting_for_locks

from .conftest import PASSWORD, People
from .mailbox import the_only, written
from .staff import by, hire, invite, link, log_in, own_role

OWNER = "paulette@example.org"
OTHER = "marcel@example.org"
HOST = "odette@example.org"


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def end(app: App, caller: Caller, who: Caller) -> int:
    assert who.user is not None
    return await members.end_member_sessions(app, caller, who.user, by=by(caller))


async def switch(app: App, caller: Caller, to: Caller) -> SessionTokens:
    assert caller.user is not None
    assert caller.session is not None
    return await organizations.switch_organization(
        app, caller.user, caller.session, to.tenant, by=by(caller), user_agent=""
    )


async def of_two_organizations(app: App, people: People, owner: Caller) -> Caller:
    """Somebody in a session of their own organization, who is a host of the owner's, too."""
    await people.own(HOST)
    person = await log_in(people, HOST)
    assert person.user is not None
    await acceptance.accept_invitation(
        app, person.user, await link(app, await invite(app, owner, HOST)), by=by(person)
    )
    return person


async def test_all_of_them_end_at_once_and_the_member_stays_one(
    app: App, people: People, owner: Caller
) -> None:
    host = await hire(people, owner, HOST)
    tokens = await people.log_in(HOST)
    other = (await people.session(tokens)).id
    assert await end(app, owner, host) == 2
    assert set((await own_sessions.list_revocations(app, None))[0]) == {host.session, other}
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, tokens.refresh_token)
    assert (await people.session(tokens)).end_reason is EndReason.ENDED_BY_ORGANIZATION
    entries = await people.log(owner.tenant)
    assert (entries[-1].action, entries[-1].actor_id) == (Action.MEMBER_SESSIONS_ENDED, owner.user)
    assert host.user is not None
    assert entries[-1].target == ids.show("usr", host.user)
    assert entries[-1].after is not None
    assert host.session is not None
    assert set(entries[-1].after["sessions"] or ()) == {  # type: ignore[arg-type]
        ids.show("ses", each) for each in (host.session, other)
    }
    assert verify(entries) is None
    assert (await people.log_in(HOST)).access_token
    assert await end(app, owner, host) == 1


async def test_the_member_is_told_where_by_mail_and_nobody_else_is(
    app: App, people: People, owner: Caller
) -> None:
    host = await hire(people, owner, HOST)
    await end(app, owner, host)
    mail = await the_only(app, MailKind.SESSIONS_ENDED)
    assert (mail.email, mail.organization_name, mail.token) == (HOST, "Chez Paulette", "")


async def test_sessions_in_other_organizations_go_on_and_do_not_switch_in(
    app: App, people: People, owner: Caller
) -> None:
    person = await of_two_organizations(app, people, owner)
    here = await switch(app, person, owner)
    assert await end(app, owner, person) == 1
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, here.refresh_token)
    assert person.session not in (await own_sessions.list_revocations(app, None))[0]
    with pytest.raises(FreshAuthenticationRequired):
        await switch(app, person, owner)
    assert person.user is not None
    assert person.session is not None
    await own_sessions.reauthenticate(app, person.user, person.session, password=PASSWORD, by=by(person))
    assert (await switch(app, person, owner)).access_token


async def test_even_when_there_was_none_older_credentials_do_not_switch_in(
    app: App, people: People, owner: Caller
) -> None:
    person = await of_two_organizations(app, people, owner)
    assert await end(app, owner, person) == 0
    with pytest.raises(FreshAuthenticationRequired):
        await switch(app, person, owner)


async def test_a_switch_that_waits_for_the_end_is_refused(app: App, people: People, owner: Caller) -> None:
    person = await of_two_organizations(app, people, owner)
    assert person.user is not None
    async with app.db.begin_platform(reason="end sessions slowly in a test") as tx:
        assert await store.lock_member(tx, owner.tenant, person.user)
        await store.end_sessions_until(tx, owner.tenant, person.user, tx.now)
        late = asyncio.create_task(switch(app, person, owner))
        assert await eventually(lambda: waiting_for_locks(app.db))
        assert not late.done()
    with pytest.raises(FreshAuthenticationRequired):
        await late


async def test_owners_are_for_owners_and_nobody_ends_those_of_whoever_may_more(
    app: App, people: People, owner: Caller
) -> None:
    admin = await hire(people, owner, OTHER, "admin")
    role = await own_role(app, owner, "Staff office", "members.read", "members.write", "venues.read")
    office = await hire(people, owner, HOST, ids.show("rol", role.id))
    with pytest.raises(OwnersOnly):
        await end(app, admin, owner)
    with pytest.raises(PermissionNotHeld):
        await end(app, office, admin)
    assert await end(app, owner, owner) == 1
    assert await end(app, admin, office) == 1
    assert len(await written(app, MailKind.SESSIONS_ENDED)) == 2


async def test_whoever_is_no_member_has_none_and_ends_none(app: App, people: People, owner: Caller) -> None:
    host = await hire(people, owner, HOST)
    await people.own(OTHER)
    stranger = await log_in(people, OTHER)
    with pytest.raises(MemberNotFound):
        await end(app, stranger, host)
    with pytest.raises(MemberNotFound):
        await end(app, owner, stranger)
    gone = await hire(people, owner, "luc@example.org", "admin")
    assert gone.user is not None
    await members.remove_member(app, owner, gone.user, by=by(owner))
    with pytest.raises(Unauthenticated):  # no session outlives the membership that it is of
        await end(app, gone, host)
    assert await written(app, MailKind.SESSIONS_ENDED) == []


async def test_what_is_over_already_is_not_ended_again(app: App, people: People, owner: Caller) -> None:
    host = await hire(people, owner, HOST)
    await people.age(SESSIONS, timedelta(days=8))
    by_hand = replace(owner, session=(await people.session(await people.log_in(OWNER))).id)
    assert await end(app, by_hand, host) == 1  # unused for long, but not ended: now it is
    assert await end(app, by_hand, host) == 0
