"""Organizations: another one, the own ones, a new name, and a session elsewhere by the same credentials."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from auth.app import App
from auth.domain.audit import Action
from auth.domain.members import Organization, OrganizationNotFound, TooManyOrganizations
from auth.domain.sessions import RefreshTokenInvalid, SessionTokens
from auth.tables import SESSIONS
from auth.usecases import members, organizations, own_sessions, sessions
from servicekit import ids, paging
from servicekit.errors import InvalidPageToken, Unauthenticated, VersionMismatch
from servicekit.identity import Caller

from .conftest import BROWSER, People
from .staff import by, hire, log_in
from .test_own_sessions import claims_of

OWNER = "paulette@example.org"


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def found(app: App, caller: Caller, name: str) -> UUID:
    assert caller.user is not None
    return (await organizations.create_organization(app, caller.user, name, by=by(caller))).id


async def switch(app: App, caller: Caller, to: UUID) -> SessionTokens:
    assert caller.user is not None
    assert caller.session is not None
    return await organizations.switch_organization(
        app, caller.user, caller.session, to, by=by(caller), user_agent=BROWSER
    )


async def test_whoever_makes_an_organization_owns_it(app: App, people: People, owner: Caller) -> None:
    made = await found(app, owner, " Le Petit Comptoir ")
    assert owner.user is not None
    profile = await sessions.get_profile(app, made, owner.user)
    assert (profile.organization_name, profile.grant.role) == ("Le Petit Comptoir", "owner")
    (entry,) = await people.log(made)
    assert (entry.action, entry.actor_id) == (Action.ORGANIZATION_CREATED, owner.user)


async def test_a_person_owns_twenty_organizations_at_most(app: App, owner: Caller) -> None:
    for number in range(19):
        await found(app, owner, f"Number {number}")
    with pytest.raises(TooManyOrganizations):
        await found(app, owner, "One too many")


async def test_one_sees_the_own_organizations_only_in_pages(app: App, people: People, owner: Caller) -> None:
    await people.own("stranger@example.org")
    made = [owner.tenant, *[await found(app, owner, name) for name in ("B", "C")]]
    assert owner.user is not None
    first, token = await organizations.list_organizations(app, owner.user, paging.page(2, "", keys=2))
    rest, last = await organizations.list_organizations(app, owner.user, paging.page(2, token, keys=2))
    assert [(each.id, role) for each, role in (*first, *rest)] == [(each, "owner") for each in made]
    assert (len(first), last) == (2, "")
    nonsense = paging.page(2, paging.page(2, "", keys=2).next_token(["nonsense", "x"]), keys=2)
    with pytest.raises(InvalidPageToken):
        await organizations.list_organizations(app, owner.user, nonsense)


async def test_another_name_is_kept_and_recorded_once(app: App, people: People, owner: Caller) -> None:
    before = len(await people.log(owner.tenant))
    for _ in range(2):
        renamed = await organizations.rename_organization(app, owner.tenant, "Chez Nous", by=by(owner))
        assert renamed.name == "Chez Nous"
    assert (await organizations.get_organization(app, owner.tenant)).name == "Chez Nous"
    (entry,) = (await people.log(owner.tenant))[before:]
    assert (entry.before, entry.after) == ({"name": "Chez Paulette"}, {"name": "Chez Nous"})
    for refused in (
        organizations.rename_organization(app, ids.new(), "Nobody's", by=by(owner)),
        organizations.get_organization(app, ids.new()),
    ):
        with pytest.raises(OrganizationNotFound):
            await refused


async def test_a_switch_opens_a_session_as_old_as_the_one_it_came_from(
    app: App, people: People, owner: Caller
) -> None:
    made = await found(app, owner, "Second")
    await people.age(SESSIONS, timedelta(hours=3))
    tokens = await switch(app, owner, made)
    here = await people.session(tokens)
    there, _ = await own_sessions.list_sessions(app, here.user_id, paging.page(0, "", keys=1))
    present = next(each for each in there if each.id == owner.session)
    assert (here.organization_id, here.user_id, here.device) == (made, owner.user, "Firefox on Linux")
    assert (here.methods, here.authenticated_at) == (present.methods, present.authenticated_at)
    assert here.expires_at == present.expires_at
    claims = claims_of(app, tokens)
    assert (claims["org"], claims["amr"]) == (str(made), ["pwd"])
    assert claims["auth_time"] == int(present.authenticated_at.timestamp())
    assert (await people.log(made))[-1].action is Action.SESSION_SWITCHED
    assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token


async def test_one_switches_to_the_own_organizations_only_and_from_a_session_that_holds(
    app: App, people: People, owner: Caller
) -> None:
    foreign = await people.own("stranger@example.org")
    for unknown in (foreign, ids.new()):
        with pytest.raises(OrganizationNotFound):
            await switch(app, owner, unknown)
    made = await found(app, owner, "Second")
    stranger = await log_in(people, "stranger@example.org")
    with pytest.raises(Unauthenticated):
        await switch(app, replace(owner, session=stranger.session), made)
    await people.age_sessions(timedelta(days=8))
    with pytest.raises(Unauthenticated):
        await switch(app, owner, made)


async def test_a_session_by_a_switch_ends_with_its_membership(
    app: App, people: People, owner: Caller
) -> None:
    host = await hire(people, owner, "odette@example.org")
    own = await found(app, host, "Chez Odette")
    tokens = await switch(app, host, own)
    back = await switch(app, replace(host, session=(await people.session(tokens)).id), owner.tenant)
    assert host.user is not None
    await members.remove_member(app, owner, host.user, by=by(owner))
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, back.refresh_token)
    assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token


async def test_of_many_who_have_read_the_same_one_renames_it(app: App, owner: Caller) -> None:
    async def rename(name: str) -> Organization:
        return await organizations.rename_organization(
            app, owner.tenant, name, expected_version=1, by=by(owner)
        )

    ended = await asyncio.gather(*(rename(f"Name {number}") for number in range(10)), return_exceptions=True)
    (renamed,) = [each for each in ended if isinstance(each, Organization)]
    assert sum(isinstance(each, VersionMismatch) for each in ended) == 9
    assert renamed.version == 2
    assert await organizations.get_organization(app, owner.tenant) == renamed


async def test_what_is_called_so_already_keeps_its_version(app: App, owner: Caller) -> None:
    first = await organizations.rename_organization(app, owner.tenant, "Another", by=by(owner))
    same = await organizations.rename_organization(
        app, owner.tenant, " Another ", expected_version=first.version, by=by(owner)
    )
    assert same == first
    with pytest.raises(VersionMismatch):
        await organizations.rename_organization(
            app, owner.tenant, "Another", expected_version=first.version + 1, by=by(owner)
        )
