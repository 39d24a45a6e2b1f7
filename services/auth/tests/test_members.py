"""Members: their roles and venues, how they leave, and that an organization never goes without an owner."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.app import App
from auth.domain.api_keys import Rules
from auth.domain.audit import Action, verify
from auth.domain.members import LastOwner, Member, MemberNotFound
from auth.domain.roles import Grant, OwnersOnly, PermissionNotHeld, RoleNotFound
from auth.domain.sessions import RefreshTokenInvalid
from auth.store import members as store
from auth.tables import MEMBERSHIPS
from auth.usecases import acceptance, api_keys, members, organizations, own_sessions, sessions
from servicekit import ids, paging, permissions
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller
from testkit.waiting import eventually, waiting_for_locks

from .conftest import People
from .staff import by, hire, invite, link, log_in, own_role
from .test_own_sessions import claims_of

OWNER = "paulette@example.org"
OTHER = "marcel@example.org"
HOST = "odette@example.org"
VENUE, OTHER_VENUE = ids.new(), ids.new()


async def change(
    app: App, caller: Caller, user: UUID | None, role: str, *, venues: frozenset[UUID] = frozenset()
) -> Member:
    assert user is not None
    return (await members.update_member(app, caller, user, role=role, venues=venues, by=by(caller)))[0]


async def transfer(app: App, caller: Caller, to: Caller, *, remain_owner: bool = False) -> Member:
    assert to.user is not None
    return await members.transfer_ownership(app, caller, to.user, remain_owner=remain_owner, by=by(caller))


async def leave(app: App, caller: Caller) -> None:
    assert caller.user is not None
    await members.leave_organization(app, caller.tenant, caller.user, by=by(caller))


async def remove(app: App, caller: Caller, who: Caller) -> None:
    assert who.user is not None
    await members.remove_member(app, caller, who.user, by=by(caller))


async def roles_of(app: App, organization: UUID) -> dict[str, str]:
    found, _ = await members.list_members(app, organization, paging.page(0, "", keys=2))
    return {each.email: each.grant.role for each in found}


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def test_members_come_in_pages_the_oldest_first(app: App, people: People, owner: Caller) -> None:
    await people.own("stranger@example.org")
    for email in (OTHER, HOST):
        await hire(people, owner, email)
    first, token = await members.list_members(app, owner.tenant, paging.page(2, "", keys=2))
    rest, last = await members.list_members(app, owner.tenant, paging.page(2, token, keys=2))
    assert [each.email for each in (*first, *rest)] == [OWNER, OTHER, HOST]
    assert (len(first), last) == (2, "")
    assert [(each.grant.role, each.display_name) for each in first] == [
        ("owner", "Paulette"),
        ("host", "Odette"),
    ]


async def test_another_role_and_venues_hold_with_the_next_access_token(
    app: App, people: People, owner: Caller
) -> None:
    host = await hire(people, owner, HOST)
    tokens = await people.log_in(HOST)
    await change(app, owner, host.user, "viewer", venues=frozenset({VENUE}))
    claims = claims_of(app, await sessions.refresh_session(app, tokens.refresh_token))
    assert claims["role"] == "viewer"
    assert set(claims["scope"].split()) == permissions.of_role("viewer")
    assert claims["ven"] == [str(VENUE)]
    assert host.user is not None
    profile = await sessions.get_profile(app, owner.tenant, host.user)
    assert profile.grant == Grant("viewer", permissions.of_role("viewer"), frozenset({VENUE}))
    entry = (await people.log(owner.tenant))[-1]
    assert entry.action is Action.MEMBER_CHANGED
    assert (entry.before, entry.after) == (
        {"role": "host", "venues": []},
        {"role": "viewer", "venues": [ids.show("ven", VENUE)], "api_keys": 0},
    )


async def test_a_role_of_the_organizations_own_reaches_the_token_by_its_permissions(
    app: App, people: People, owner: Caller
) -> None:
    role = await own_role(app, owner, "Cellar", "venues.read", "bookings.read")
    word = ids.show("rol", role.id)
    host = await hire(people, owner, HOST)
    changed = await change(app, owner, host.user, word)
    assert (changed.grant.role, changed.role_name) == (word, "Cellar")
    claims = claims_of(app, await people.log_in(HOST))
    assert (claims["role"], claims["scope"]) == (word, "bookings.read venues.read")
    assert "ven" not in claims


async def test_nobody_gives_or_takes_what_they_do_not_have(app: App, people: People, owner: Caller) -> None:
    admin = await hire(people, owner, OTHER, "admin")
    role = await own_role(app, owner, "Staff office", "members.read", "members.write", "venues.read")
    office = await hire(people, owner, HOST, ids.show("rol", role.id))
    viewer = await hire(people, owner, "luc@example.org", ids.show("rol", role.id))
    with pytest.raises(PermissionNotHeld):
        await change(app, office, viewer.user, "host")
    with pytest.raises(PermissionNotHeld):
        await change(app, office, admin.user, ids.show("rol", role.id))
    with pytest.raises(PermissionNotHeld):
        await remove(app, office, admin)
    with pytest.raises(OwnersOnly):
        await change(app, admin, owner.user, "viewer")
    with pytest.raises(OwnersOnly):
        await remove(app, admin, owner)
    with pytest.raises(OwnersOnly):
        await transfer(app, admin, admin)
    assert (await change(app, admin, viewer.user, "host")).grant.role == "host"


async def test_what_an_older_token_still_says_is_not_believed(
    app: App, people: People, owner: Caller
) -> None:
    admin = await hire(people, owner, OTHER, "admin")
    host = await hire(people, owner, HOST)
    await change(app, owner, admin.user, "viewer")
    with pytest.raises(PermissionNotHeld):
        await change(app, admin, host.user, "admin")
    await remove(app, owner, admin)
    with pytest.raises(Unauthenticated):
        await change(app, admin, host.user, "viewer")


async def test_whoever_is_limited_to_venues_gives_no_others(app: App, people: People, owner: Caller) -> None:
    """With a token of before the limit; one of after it gets none of these calls."""
    admin = await hire(people, owner, OTHER, "admin")
    host = await hire(people, owner, HOST, venues=frozenset({VENUE}))
    assert admin.user is not None
    await change(app, owner, admin.user, "admin", venues=frozenset({VENUE, OTHER_VENUE}))
    for venues in (frozenset[UUID](), frozenset({ids.new()}), frozenset({VENUE, ids.new()})):
        with pytest.raises(PermissionNotHeld):
            await change(app, admin, admin.user, "admin", venues=venues)
        with pytest.raises(PermissionNotHeld):
            await invite(app, admin, "second@example.org", "admin", venues=venues)
        with pytest.raises(PermissionNotHeld):
            rules = Rules("All", frozenset({"bookings.read"}), venues=venues)
            await api_keys.create_key(app, admin, rules, user_id=admin.user, by=by(admin))
    limited = replace(admin, venues=frozenset({VENUE}))
    with pytest.raises(PermissionNotHeld):
        await change(app, limited, host.user, "host", venues=frozenset({OTHER_VENUE}))
    changed = await change(app, admin, host.user, "viewer", venues=frozenset({OTHER_VENUE}))
    assert changed.grant.venues == {OTHER_VENUE}


async def test_a_key_gives_what_it_carries_and_never_ownership(
    app: App, people: People, owner: Caller
) -> None:
    host = await hire(people, owner, HOST)
    key = replace(owner, key=ids.new(), permissions=permissions.of_role("host") | {"members.write"})
    assert (await change(app, key, host.user, "viewer")).grant.role == "viewer"
    with pytest.raises(PermissionNotHeld):
        await change(app, key, host.user, "manager")
    with pytest.raises(OwnersOnly):
        await transfer(app, key, host)


@pytest.mark.parametrize("role", ["rol_01h455vb4pex5vsknk084sn02q", "waiter", "rol_nonsense"])
async def test_a_role_that_there_is_not_is_not_given(
    app: App, people: People, owner: Caller, role: str
) -> None:
    host = await hire(people, owner, HOST)
    with pytest.raises(RoleNotFound):
        await change(app, owner, host.user, role)


async def test_ownership_is_handed_over_and_both_are_recorded(
    app: App, people: People, owner: Caller
) -> None:
    heir = await hire(people, owner, OTHER)
    given = await transfer(app, owner, heir)
    assert given.grant == Grant.of("owner")
    assert await roles_of(app, owner.tenant) == {OWNER: "admin", OTHER: "owner"}
    entries = await people.log(owner.tenant)
    assert [each.action for each in entries[-2:]] == [Action.OWNERSHIP_GIVEN, Action.OWNERSHIP_LAID_DOWN]
    assert verify(entries) is None
    with pytest.raises(OwnersOnly):
        await transfer(app, owner, owner)
    await transfer(app, heir, owner, remain_owner=True)
    assert await roles_of(app, owner.tenant) == {OWNER: "owner", OTHER: "owner"}


async def test_the_last_owner_neither_leaves_nor_steps_down_nor_is_removed(app: App, owner: Caller) -> None:
    for refused in (leave(app, owner), change(app, owner, owner.user, "admin"), remove(app, owner, owner)):
        with pytest.raises(LastOwner):
            await refused


async def test_of_two_owners_who_leave_at_once_one_stays(app: App, people: People, owner: Caller) -> None:
    heir = await hire(people, owner, OTHER)
    await transfer(app, owner, heir, remain_owner=True)
    outcomes = await asyncio.gather(leave(app, owner), leave(app, heir), return_exceptions=True)
    assert sorted(map(type, outcomes), key=str) == sorted([type(None), LastOwner], key=str)
    assert list((await roles_of(app, owner.tenant)).values()) == ["owner"]


async def test_the_second_owner_waits_for_the_first_to_have_left(
    app: App, people: People, owner: Caller
) -> None:
    heir = await hire(people, owner, OTHER)
    await transfer(app, owner, heir, remain_owner=True)
    assert owner.user is not None
    async with app.db.begin_platform(reason="hold a lock in a test") as tx:
        await store.lock_organization(tx, owner.tenant)
        second = asyncio.create_task(leave(app, heir))
        await eventually(lambda: waiting_for_locks(app.db))
        await store.delete_member(tx, owner.tenant, owner.user)
    with pytest.raises(LastOwner):
        await second


async def test_without_the_lock_no_owner_would_be_left(app: App, people: People, owner: Caller) -> None:
    """The control of the test above: the same steps of the first, who does not take the lock."""
    heir = await hire(people, owner, OTHER)
    await transfer(app, owner, heir, remain_owner=True)
    assert owner.user is not None
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        assert len(await store.list_owners(tx, owner.tenant)) == 2
        await leave(app, heir)
        await store.delete_member(tx, owner.tenant, owner.user)
    assert await roles_of(app, owner.tenant) == {}


async def test_whoever_is_removed_is_out_at_once_here_and_nowhere_else(
    app: App, people: People, owner: Caller
) -> None:
    await people.own(HOST)
    elsewhere = await people.log_in(HOST)
    person = await log_in(people, HOST)
    assert person.user is not None
    token = await link(app, await invite(app, owner, HOST, "admin"))
    await acceptance.accept_invitation(app, person.user, token, by=by(person))
    assert person.session is not None
    here = await organizations.switch_organization(
        app, person.user, person.session, owner.tenant, by=by(person), user_agent=""
    )
    session = await people.session(here)
    await remove(app, owner, person)
    assert set((await own_sessions.list_revocations(app, None))[0]) == {session.id}
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, here.refresh_token)
    assert (await sessions.refresh_session(app, elsewhere.refresh_token)).access_token
    with pytest.raises(MemberNotFound):
        await remove(app, owner, person)
    assert (await people.log(owner.tenant))[-1].action is Action.MEMBER_REMOVED


async def test_whoever_removes_or_demotes_hears_of_the_keys_that_hold_on(
    app: App, people: People, owner: Caller
) -> None:
    admin = await hire(people, owner, OTHER, "admin")
    assert admin.user is not None
    for sandbox in (False, True):
        rules = Rules("All", frozenset({"bookings.read"}), sandbox=sandbox)
        await api_keys.create_key(app, admin, rules, user_id=admin.user, by=by(admin))
    over = await api_keys.create_key(app, admin, rules, user_id=admin.user, by=by(admin))
    await api_keys.revoke_key(app, admin, over.key.id, by=by(admin))
    mine = Rules("Mine", frozenset({"bookings.read"}))
    await api_keys.create_key(app, owner, mine, user_id=owner.user or ids.new(), by=by(owner))
    _, keys = await members.update_member(
        app, owner, admin.user, role="viewer", venues=frozenset(), by=by(owner)
    )
    assert keys == 2
    assert ((await people.log(owner.tenant))[-1].after or {})["api_keys"] == 2
    assert await members.remove_member(app, owner, admin.user, by=by(owner)) == 2
    assert ((await people.log(owner.tenant))[-1].before or {})["api_keys"] == 2


async def test_leaving_ends_the_own_sessions(app: App, people: People, owner: Caller) -> None:
    host = await hire(people, owner, HOST)
    await leave(app, host)
    assert host.session in (await own_sessions.list_revocations(app, None))[0]
    assert await roles_of(app, owner.tenant) == {OWNER: "owner"}
    with pytest.raises(Unauthenticated):
        await leave(app, host)


async def test_the_database_keeps_a_custom_role_and_its_id_together(app: App, owner: Caller) -> None:
    with pytest.raises(IntegrityError, match="memberships_custom_role"):
        async with app.db.begin(owner.tenant) as tx:
            await tx.execute(sa.update(MEMBERSHIPS).values(role="custom"))
