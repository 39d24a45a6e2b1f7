"""An organization's own roles: made of what there is and one has, unique by name, kept while in use."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from auth.app import App
from auth.domain.audit import Action
from auth.domain.roles import (
    MOST_ROLES,
    Giver,
    Grant,
    OwnersOnly,
    PermissionNotHeld,
    PermissionUnknown,
    Role,
    RoleInUse,
    RoleNameTaken,
    RoleNotFound,
    TooManyRoles,
)
from auth.tables import INVITATIONS
from auth.usecases import members, roles, sessions
from servicekit import ids, permissions
from servicekit.errors import VersionMismatch
from servicekit.identity import Caller
from testkit.paging import WHOLE

from .conftest import People
from .staff import by, hire, invite, log_in, own_role
from .test_own_sessions import claims_of

OWNER = "paulette@example.org"
HOST = "odette@example.org"


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def change(app: App, caller: Caller, role_id: UUID, name: str, *allowed: str) -> Role:
    return await roles.update_role(app, caller, role_id, name=name, allowed=allowed, by=by(caller))


def test_rights_are_given_by_whoever_has_them() -> None:
    giver = Giver(permissions.of_role("host"))
    giver.give(Grant.of("viewer"))
    for beyond in ("manager", "accountant"):
        with pytest.raises(PermissionNotHeld):
            giver.give(Grant.of(beyond))
    with pytest.raises(OwnersOnly):
        Giver(permissions.ALL).give(Grant.of("owner"))
    Giver(permissions.ALL, owner=True).give(Grant.of("owner"))


@pytest.mark.parametrize("name", ["owner", " Manager "])
def test_a_role_has_no_built_in_name(name: str) -> None:
    with pytest.raises(RoleNameTaken):
        Role.make(ids.new(), organization_id=ids.new(), name=name, allowed=())


def test_a_role_allows_only_what_there_is() -> None:
    with pytest.raises(PermissionUnknown):
        Role.make(ids.new(), organization_id=ids.new(), name="X", allowed=["cellar.drink"])


async def test_a_changed_role_reaches_all_who_have_it_with_their_next_token(
    app: App, people: People, owner: Caller
) -> None:
    role = await own_role(app, owner, "Cellar", "venues.read")
    await hire(people, owner, HOST, ids.show("rol", role.id))
    tokens = await people.log_in(HOST)
    await change(app, owner, role.id, "Cellar and bar", "venues.read", "bookings.read")
    claims = claims_of(app, await sessions.refresh_session(app, tokens.refresh_token))
    assert claims["scope"] == "bookings.read venues.read"
    entry = (await people.log(owner.tenant))[-1]
    assert entry.action is Action.ROLE_CHANGED
    assert entry.after == {"name": "Cellar and bar", "permissions": ["bookings.read", "venues.read"]}


async def test_nobody_puts_into_a_role_or_takes_from_it_what_they_do_not_have(
    app: App, people: People, owner: Caller
) -> None:
    office = await own_role(app, owner, "Office", "roles.write", "venues.read")
    strong = await own_role(app, owner, "Strong", "webhooks.write")
    clerk = await hire(people, owner, HOST, ids.show("rol", office.id))
    with pytest.raises(PermissionNotHeld):
        await own_role(app, clerk, "Mine", "bookings.write")
    with pytest.raises(PermissionNotHeld):
        await change(app, clerk, office.id, "Office", "roles.write", "venues.read", "venues.write")
    with pytest.raises(PermissionNotHeld):
        await change(app, clerk, strong.id, "Weak")
    with pytest.raises(PermissionNotHeld):
        await roles.delete_role(app, clerk, strong.id, by=by(clerk))
    assert (await own_role(app, clerk, "Mine", "venues.read")).permissions == {"venues.read"}


async def test_names_are_unique_in_an_organization_whatever_their_case(
    app: App, people: People, owner: Caller
) -> None:
    await own_role(app, owner, "Cellar")
    bar = await own_role(app, owner, "Bar")
    with pytest.raises(RoleNameTaken):
        await own_role(app, owner, "cellar")
    with pytest.raises(RoleNameTaken):
        await change(app, owner, bar.id, "CELLAR")
    await people.own("marcel@example.org")
    assert await own_role(app, await log_in(people, "marcel@example.org"), "Cellar")


async def test_a_role_goes_once_nobody_has_it_and_no_open_invitation_offers_it(
    app: App, people: People, owner: Caller
) -> None:
    role = await own_role(app, owner, "Cellar", "venues.read")
    word = ids.show("rol", role.id)
    host = await hire(people, owner, HOST, word)
    assert host.user is not None
    with pytest.raises(RoleInUse):
        await roles.delete_role(app, owner, role.id, by=by(owner))
    await members.update_member(app, owner, host.user, role="viewer", venues=frozenset(), by=by(owner))
    await invite(app, owner, "luc@example.org", word)
    with pytest.raises(RoleInUse):
        await roles.delete_role(app, owner, role.id, by=by(owner))
    await people.age(INVITATIONS, timedelta(days=8))
    await roles.delete_role(app, owner, role.id, by=by(owner))
    assert (await roles.list_roles(app, owner.tenant, WHOLE))[1] == []
    with pytest.raises(RoleNotFound):
        await roles.delete_role(app, owner, role.id, by=by(owner))


async def test_the_roles_of_others_are_not_found(app: App, people: People, owner: Caller) -> None:
    await people.own("marcel@example.org")
    theirs = await own_role(app, await log_in(people, "marcel@example.org"), "Cellar", "venues.read")
    with pytest.raises(RoleNotFound):
        await change(app, owner, theirs.id, "Mine")
    with pytest.raises(RoleNotFound):
        await roles.delete_role(app, owner, theirs.id, by=by(owner))
    with pytest.raises(RoleNotFound):
        await roles.get_role(app, owner.tenant, theirs.id)
    with pytest.raises(RoleNotFound):
        await invite(app, owner, HOST, ids.show("rol", theirs.id))
    assert (await roles.list_roles(app, owner.tenant, WHOLE))[1] == []


async def test_an_organization_has_fifty_roles_of_its_own_at_most(app: App, owner: Caller) -> None:
    for number in range(MOST_ROLES):
        await own_role(app, owner, f"Role {number}")
    with pytest.raises(TooManyRoles):
        await own_role(app, owner, "One too many")


async def test_of_many_who_have_read_the_same_one_changes_the_role(app: App, owner: Caller) -> None:
    made = await roles.create_role(app, owner, name="Cellar", allowed=(), by=by(owner))
    assert made.version == 1

    async def edit(name: str) -> Role:
        return await roles.update_role(
            app, owner, made.id, name=name, allowed=(), expected_version=1, by=by(owner)
        )

    ended = await asyncio.gather(*(edit(f"Cellar {number}") for number in range(10)), return_exceptions=True)
    (changed,) = [each for each in ended if isinstance(each, Role)]
    assert sum(isinstance(each, VersionMismatch) for each in ended) == 9
    assert (await roles.list_roles(app, owner.tenant, WHOLE))[1] == [changed]
    assert await roles.get_role(app, owner.tenant, made.id) == changed
    assert changed.version == 2
    with pytest.raises(VersionMismatch):
        await roles.delete_role(app, owner, made.id, expected_version=1, by=by(owner))
    await roles.delete_role(app, owner, made.id, expected_version=2, by=by(owner))
