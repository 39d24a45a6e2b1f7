"""Groups that a provider manages by SCIM: what they make of whom, and what they never do."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import Action
from auth.domain.connections import Rules
from auth.domain.roles import Role, RoleNotFound
from auth.domain.scim import GroupName, role_of_groups
from auth.servicer import servicers
from auth.usecases import members, roles
from servicekit import ids
from testkit.edge import Edge
from testkit.keys import Keys
from testkit.plugin import StartEdge

from .conftest import People
from .providers_of_people import Corp, open_corp, with_dns
from .staff import by, own_role

ODETTE, SWANN = "odette@corp.example", "swann@corp.example"
MAPPING = (("Chefs", "manager"), ("id-of-hosts", "host"), ("Books", "accountant"))


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def corp(app: App, people: People, edge: Edge, keys: Keys) -> AsyncIterator[Corp]:
    async with open_corp(app, people, edge, keys, roles=MAPPING) as opened:
        yield opened


@pytest.fixture
async def unmapped(app: App, people: People, edge: Edge, keys: Keys) -> AsyncIterator[Corp]:
    async with open_corp(app, people, edge, keys) as opened:
        yield opened


def group(name: str, external_id: str | None = None) -> GroupName:
    return GroupName(ids.new(), name, external_id)


def test_the_order_of_the_mapping_decides_among_several_groups() -> None:
    rules = Rules("viewer", roles=MAPPING)
    assert role_of_groups(rules, [], [group("Books"), group("Hosts", "id-of-hosts")]) == "host"
    assert role_of_groups(rules, [], [group("Hosts", "id-of-hosts"), group("Chefs")]) == "manager"
    assert role_of_groups(rules, [], [group("admin"), group("chefs")]) == ""
    with pytest.raises(RoleNotFound):
        Rules("viewer", roles=(("Bosses", "owner"),))


def test_without_a_mapping_groups_are_called_like_roles() -> None:
    own = Role(ids.new(), ids.new(), "Cellar", frozenset())
    rules = Rules("viewer")
    assert role_of_groups(rules, [own], [group("CELLAR")]) == ids.show("rol", own.id)
    assert role_of_groups(rules, [own], [group("cellar"), group("viewer"), group("Manager")]) == "manager"
    assert role_of_groups(rules, [own], [group("Owner"), group("Everybody")]) == ""


async def test_membership_in_groups_decides_the_role_at_once(corp: Corp) -> None:
    odette, swann = await corp.directory.hire(ODETTE), await corp.directory.hire(SWANN)
    books = await corp.directory.group("Books", odette, swann)
    assert await corp.roles() == {"paulette@corp.example": "owner", ODETTE: "accountant", SWANN: "accountant"}
    hosts = await corp.directory.group("Hosts", odette, externalId="id-of-hosts")
    assert (await corp.roles())[ODETTE] == "host"
    told = (await corp.directory.ask("GET", f"Users/{odette['id']}")).json()["groups"]
    assert [each["display"] for each in told] == ["Books", "Hosts"]
    # As Microsoft Entra ID takes somebody out.
    removal = {"op": "Remove", "path": "members", "value": [{"value": odette["id"]}]}
    assert (await corp.directory.patch(f"Groups/{hosts['id']}", removal)).status_code == 200
    assert (await corp.roles())[ODETTE] == "accountant"
    # And as RFC 7644 does.
    removal = {"op": "remove", "path": f'members[value eq "{odette["id"]}"]'}
    left = (await corp.directory.patch(f"Groups/{books['id']}", removal)).json()
    assert [each["value"] for each in left["members"]] == [swann["id"]]
    assert await corp.roles() == {"paulette@corp.example": "owner", ODETTE: "viewer", SWANN: "accountant"}
    assert (await corp.directory.ask("DELETE", f"Groups/{books['id']}")).status_code == 204
    assert (await corp.roles())[SWANN] == "viewer"
    changed = [
        entry for entry in await corp.people.log(corp.owner.tenant) if entry.action == "member.changed"
    ]
    assert [(each.actor_kind, each.before, each.after) for each in changed][-1] == (
        "connection",
        {"role": "accountant"},
        {"role": "viewer", "api_keys": 0},
    )


async def test_groups_without_a_role_are_kept_and_give_nothing(corp: Corp) -> None:
    odette = await corp.directory.hire(ODETTE)
    async with corp.app.db.begin_platform(reason="look into the database in a test") as tx:
        found = await tx.execute(sa.text("SELECT id FROM users WHERE email = :email"), {"email": ODETTE})
        user_id = found.scalar_one()
    await members.update_member(
        corp.app, corp.owner, user_id, role="admin", venues=frozenset(), by=by(corp.owner)
    )
    everybody = await corp.directory.group("Everybody", odette)
    assert (await corp.roles())[ODETTE] == "admin"
    renamed = {"displayName": "Chefs", "members": [{"value": odette["id"]}]}
    assert (await corp.directory.ask("PUT", f"Groups/{everybody['id']}", renamed)).status_code == 200
    assert (await corp.roles())[ODETTE] == "manager"


async def test_whoever_comes_back_gets_the_role_of_their_groups(corp: Corp) -> None:
    odette = await corp.directory.hire(ODETTE, active=False)
    await corp.directory.group("Chefs", odette)
    assert ODETTE not in await corp.roles()
    await corp.directory.patch(f"Users/{odette['id']}", {"op": "add", "value": {"active": True}})
    assert (await corp.roles())[ODETTE] == "manager"


async def test_own_roles_are_found_by_name_and_no_group_makes_an_owner(unmapped: Corp) -> None:
    role = await own_role(unmapped.app, unmapped.owner, "Cellar", "venues.read")
    odette = await unmapped.directory.hire(ODETTE)
    for name in ("owner", "Owner of all"):
        await unmapped.directory.group(name, odette)
    assert (await unmapped.roles())[ODETTE] == "viewer"
    cellar = await unmapped.directory.group("cellar", odette)
    assert (await unmapped.roles())[ODETTE] == "custom"
    await unmapped.directory.ask("DELETE", f"Groups/{cellar['id']}")
    await roles.delete_role(unmapped.app, unmapped.owner, role.id, by=by(unmapped.owner))
    again = await unmapped.directory.group("cellar", odette)
    assert (await unmapped.roles())[ODETTE] == "viewer"
    assert again["members"][0]["value"] == odette["id"]


async def test_only_users_of_the_connection_are_members_and_names_are_taken_once(corp: Corp) -> None:
    odette = await corp.directory.hire(ODETTE)
    chefs = await corp.directory.group("Chefs", odette)
    for stranger in (ids.show("scu", ids.new()), chefs["id"], "nobody"):
        added = {"op": "add", "path": "members", "value": [{"value": stranger}]}
        answer = await corp.directory.patch(f"Groups/{chefs['id']}", added)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    twice = await corp.directory.ask("POST", "Groups", {"displayName": "chefs"})
    assert (twice.status_code, twice.json()["scimType"]) == (409, "uniqueness")
    again = {"op": "add", "path": "members", "value": [{"value": odette["id"]}]}
    same = await corp.directory.patch(f"Groups/{chefs['id']}", again)
    assert (same.status_code, len(same.json()["members"])) == (200, 1)
    await corp.directory.ask("DELETE", f"Users/{odette['id']}")
    assert "members" not in (await corp.directory.ask("GET", f"Groups/{chefs['id']}")).json()


async def test_members_come_and_go_in_the_order_of_operations(corp: Corp) -> None:
    people = [await corp.directory.hire(f"{each}@corp.example") for each in range(4)]
    path = f"Groups/{(await corp.directory.group('Chefs', *people[:2]))['id']}"
    changed = await corp.directory.patch(
        path,
        {"op": "remove", "path": f'members[value eq "{people[0]["id"]}"]'},
        {"op": "Remove", "path": f'members[value eq "{people[1]["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": people[2]["id"]}]},
        {"op": "Add", "path": "members", "value": [{"value": people[3]["id"]}]},
        {"op": "remove", "path": "members", "value": [{"value": people[3]["id"]}]},
        {"op": "replace", "path": "displayName", "value": "Cooks"},
    )
    assert changed.status_code == 200, changed.text
    assert [each["value"] for each in changed.json()["members"]] == [people[2]["id"]]
    assert changed.json()["displayName"] == "Cooks"
    dear = [{"op": "add", "path": "members", "value": {"value": people[0]["id"]}}] * 11
    assert (await corp.directory.patch(path, *dear)).status_code == 413
    once = {"op": "remove", "path": f'members[value eq "{people[2]["id"]}"]'}
    assert "members" not in (await corp.directory.patch(path, *([once] * 100))).json()


async def test_what_providers_do_to_groups_is_recorded(corp: Corp) -> None:
    chefs = await corp.directory.group("Chefs")
    await corp.directory.patch(f"Groups/{chefs['id']}", {"op": "replace", "value": {"displayName": "Cooks"}})
    await corp.directory.ask("DELETE", f"Groups/{chefs['id']}")
    assert [action for actor, action in await corp.actions() if actor == "connection"] == [
        Action.SCIM_GROUP_CREATED,
        Action.SCIM_GROUP_CHANGED,
        Action.SCIM_GROUP_DELETED,
    ]
