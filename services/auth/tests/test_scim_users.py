"""People whom a provider manages by SCIM, through the real gateway: accounts, memberships, and their end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.plans import Plan
from auth.domain.scim import ScimNotProvisioned, ScimUserNameTaken, UserWish
from auth.domain.sso import Assertion
from auth.servicer import servicers
from auth.store import members as member_store
from auth.store import people as people_store
from auth.store import registrations as registration_store
from auth.usecases import addresses, connections, members, own_sessions, scim_users, sso_arrivals
from servicekit import ids
from testkit import eventually
from testkit.edge import Edge
from testkit.keys import Keys
from testkit.plugin import StartEdge
from testkit.waiting import waiting_for_locks

from . import mailbox
from .conftest import PLACE, People
from .providers_of_people import Corp, connect, directory_at, open_corp, token_of, with_dns
from .staff import by, hire, log_in

ODETTE = "odette@corp.example"
BY = Author(ActorKind.CONNECTION, None, address=PLACE)


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def corp(app: App, people: People, edge: Edge, keys: Keys) -> AsyncIterator[Corp]:
    async with open_corp(app, people, edge, keys) as opened:
        yield opened


async def test_somebody_new_becomes_a_member_without_a_password(corp: Corp) -> None:
    made = await corp.directory.hire("Odette@Corp.Example", "Odette de Crécy", externalId="00u1")
    assert (made["userName"], made["displayName"], made["active"]) == (ODETTE, "Odette de Crécy", True)
    assert made["emails"] == [{"value": ODETTE, "type": "work", "primary": True}]
    assert made["externalId"] == "00u1"
    assert made["meta"]["location"] == f"https://api.example.org/scim/v2/Users/{made['id']}"
    assert (await corp.roles())[ODETTE] == "viewer"
    with pytest.raises(InvalidCredentials):
        await corp.people.log_in(ODETTE, password="")
    entry = (await corp.people.log(corp.owner.tenant))[-1]
    assert (entry.actor_kind, entry.actor_id) == ("connection", corp.connection.id)
    assert (entry.action, entry.address) == (Action.SCIM_USER_CREATED, PLACE)
    assert entry.request_id
    assert ODETTE not in str(entry.after)


async def test_a_member_who_is_there_stays_what_they_are(corp: Corp, people: People) -> None:
    host = await hire(people, corp.owner, ODETTE, "host")
    made = await corp.directory.hire(ODETTE)
    assert (await corp.roles())[ODETTE] == "host"
    assert host.session is not None
    assert host.session not in (await own_sessions.list_revocations(corp.app, None))[0]
    listed = (await corp.directory.ask("GET", "Users")).json()
    assert [each["id"] for each in listed["Resources"]] == [made["id"]]


async def test_accounts_of_foreign_domains_are_out_of_reach(corp: Corp, people: People) -> None:
    await people.own("swann@elsewhere.example")
    for address in ("swann@elsewhere.example", "swann@sub.corp.example", "corp.example", "@corp.example"):
        answer = await corp.directory.ask("POST", "Users", {"userName": address})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    made = await corp.directory.hire(ODETTE)
    renamed = {"op": "replace", "path": "userName", "value": "odette@elsewhere.example"}
    answer = await corp.directory.patch(f"Users/{made['id']}", renamed)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    async with corp.app.db.begin_platform(reason="move somebody away in a test") as tx:
        found = await member_store.find_person(tx, ODETTE)
        assert found is not None
        await people_store.save_email(tx, found[0], "odette@mail.example")
    named = {"op": "replace", "path": "displayName", "value": "Somebody"}
    assert (await corp.directory.patch(f"Users/{made['id']}", named)).status_code == 400
    # But that they go is always theirs to say; that they come back is not.
    path = f"Users/{made['id']}"
    gone = await corp.directory.patch(path, {"op": "replace", "value": {"active": False}})
    assert (gone.status_code, gone.json()["active"]) == (200, False)
    back = await corp.directory.patch(path, {"op": "replace", "value": {"active": True}})
    assert back.status_code == 400


async def test_whoever_is_inactive_is_out_at_once_and_may_come_back(corp: Corp, people: People) -> None:
    host = await hire(people, corp.owner, ODETTE, "host")
    made = await corp.directory.hire(ODETTE)
    # As Microsoft Entra ID says it.
    said = {"op": "Replace", "path": "active", "value": "False"}
    answer = await corp.directory.patch(f"Users/{made['id']}", said)
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert host.session in (await own_sessions.list_revocations(corp.app, None))[0]
    assert ODETTE not in await corp.roles()
    # And as Okta does.
    whole = {"userName": ODETTE, "name": {"givenName": "Odette", "familyName": "Swann"}, "active": True}
    answer = await corp.directory.ask("PUT", f"Users/{made['id']}", whole)
    assert (answer.status_code, answer.json()["displayName"]) == (200, "Odette Swann")
    assert (await corp.roles())[ODETTE] == "viewer"
    assert (await corp.directory.ask("DELETE", f"Users/{made['id']}")).status_code == 204
    assert ODETTE not in await corp.roles()
    assert (await corp.directory.ask("GET", f"Users/{made['id']}")).status_code == 404
    kinds = [action for actor, action in await corp.actions() if actor == "connection"]
    assert kinds == [
        Action.SCIM_USER_CREATED,
        Action.SCIM_USER_CHANGED,
        Action.SCIM_USER_CHANGED,
        Action.SCIM_USER_DELETED,
    ]


async def test_whoever_comes_back_is_limited_to_the_venues_of_before(corp: Corp, people: People) -> None:
    venue = frozenset({ids.new()})
    host = await hire(people, corp.owner, ODETTE, "host", venues=venue)
    assert host.user is not None
    path = f"Users/{(await corp.directory.hire(ODETTE))['id']}"
    back = {"op": "replace", "path": "active", "value": True}
    await corp.directory.patch(path, {"op": "replace", "path": "active", "value": False})
    assert (await corp.directory.patch(path, back)).json()["active"] is True
    assert (await log_in(people, ODETTE)).venues == venue
    await members.remove_member(corp.app, corp.owner, host.user, by=by(corp.owner))
    assert (await corp.directory.patch(path, back)).json()["active"] is True
    assert (await log_in(people, ODETTE)).venues == venue


async def test_a_put_that_does_not_say_active_brings_nobody_back(corp: Corp) -> None:
    made = await corp.directory.hire(ODETTE, active=False)
    assert (made["active"], ODETTE in await corp.roles()) == (False, False)
    answer = await corp.directory.ask("PUT", f"Users/{made['id']}", {"userName": ODETTE})
    assert (answer.json()["active"], answer.json()["displayName"]) == (False, "odette")


async def test_owners_are_neither_removed_nor_deactivated(corp: Corp) -> None:
    made = await corp.directory.hire("paulette@corp.example", "Paulette")
    path = f"Users/{made['id']}"
    for answer in (
        await corp.directory.patch(path, {"op": "replace", "path": "active", "value": False}),
        await corp.directory.ask("PUT", path, {"userName": "paulette@corp.example", "active": False}),
        await corp.directory.ask("DELETE", path),
    ):
        assert (answer.status_code, "owns" in answer.json()["detail"]) == (403, True)
    await corp.directory.group("Hosts", made)
    await corp.directory.group("host", made)
    assert (await corp.roles())["paulette@corp.example"] == "owner"


async def test_members_stay_within_the_plan(
    app: App, people: People, rpc_edge: StartEdge, keys: Keys
) -> None:
    small = replace(app, plans={"free": Plan(members=2, venues=1, api_keys=1)})
    edge = await rpc_edge("auth", servicers(small), small.db)
    async with open_corp(small, people, edge, keys) as corp:
        await corp.directory.hire(ODETTE)
        answer = await corp.directory.ask("POST", "Users", {"userName": "swann@corp.example"})
        assert (answer.status_code, "plan" in answer.json()["detail"]) == (409, True)
        assert len((await corp.directory.ask("GET", "Users")).json()["Resources"]) == 1
        await corp.directory.hire("swann@corp.example", active=False)


async def test_an_address_moves_within_the_domain(corp: Corp) -> None:
    made = await corp.directory.hire(ODETTE)
    await corp.directory.hire("swann@corp.example", "Swann")
    path = f"Users/{made['id']}"
    taken = await corp.directory.patch(path, {"op": "replace", "value": {"userName": "swann@corp.example"}})
    assert (taken.status_code, taken.json()["scimType"]) == (409, "uniqueness")
    moved = await corp.directory.patch(
        path,
        {"op": "replace", "path": "userName", "value": "odette.swann@corp.example"},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "odette.swann@corp.example"},
        {"op": "replace", "path": "name.familyName", "value": "Swann"},
    )
    assert moved.status_code == 200, moved.text
    assert moved.json()["emails"][0]["value"] == "odette.swann@corp.example"
    only_mail = {"op": "replace", "path": "emails", "value": [{"value": "other@corp.example"}]}
    same = await corp.directory.patch(path, only_mail)
    assert (same.status_code, same.json()["userName"]) == (200, "odette.swann@corp.example")


async def test_whoever_is_moved_is_told_at_the_old_address_and_can_take_it_back(
    app: App, corp: Corp, people: People
) -> None:
    host = await hire(people, corp.owner, ODETTE, "host")
    made = await corp.directory.hire(ODETTE)
    assert host.user is not None
    await addresses.ask_to_change_email(app, host.user, "elsewhere@corp.example", by=BY)
    moved = {"op": "replace", "path": "userName", "value": "mallory@corp.example"}
    assert (await corp.directory.patch(f"Users/{made['id']}", moved)).status_code == 200
    assert await mailbox.waiting(app, MailKind.EMAIL_CHANGE) == []
    told = await mailbox.the_only(app, MailKind.EMAIL_CHANGED)
    assert told.email == ODETTE
    await addresses.revert_email_change(app, told.token, by=BY)
    assert ODETTE in await corp.roles()
    assert host.session in (await own_sessions.list_revocations(app, None))[0]


async def test_nobody_gets_at_an_owners_account_by_scim(corp: Corp) -> None:
    made = await corp.directory.hire("paulette@corp.example", "Somebody")
    path = f"Users/{made['id']}"
    before = (await corp.directory.ask("GET", path)).json()
    assert before["displayName"] == "Paulette"
    for answer in (
        await corp.directory.patch(path, {"op": "replace", "value": {"userName": "mallory@corp.example"}}),
        await corp.directory.ask("PUT", path, {"userName": "mallory@corp.example", "displayName": "M"}),
    ):
        assert (answer.status_code, "owns" in answer.json()["detail"]) == (403, True)
    named = await corp.directory.patch(path, {"op": "replace", "path": "displayName", "value": "Somebody"})
    assert (named.status_code, named.json()) == (200, before)
    assert (await corp.roles())["paulette@corp.example"] == "owner"
    assert await mailbox.waiting(corp.app, MailKind.EMAIL_CHANGED) == []


async def test_people_of_other_organizations_keep_their_address_and_go_all_the_same(
    corp: Corp, people: People
) -> None:
    await people.own(ODETTE)
    made = await corp.directory.hire(ODETTE, "Somebody")
    path = f"Users/{made['id']}"
    assert made["displayName"] == "Paulette"
    moved = {"op": "replace", "path": "userName", "value": "mallory@corp.example"}
    refused = await corp.directory.patch(path, moved)
    assert (refused.status_code, "other organizations" in refused.json()["detail"]) == (403, True)
    assert (await corp.roles())[ODETTE] == "viewer"
    whole = {"userName": "mallory@corp.example", "displayName": "M", "active": False}
    gone = await corp.directory.ask("PUT", path, whole)
    assert (gone.status_code, gone.json()["userName"], gone.json()["active"]) == (200, ODETTE, False)
    assert gone.json()["displayName"] == "Paulette"
    assert ODETTE not in await corp.roles()
    await people.log_in(ODETTE)


async def test_versions_guard_against_lost_changes(corp: Corp) -> None:
    made = await corp.directory.hire(ODETTE)
    path = f"Users/{made['id']}"
    first = await corp.directory.ask("GET", path)
    etag = first.headers["etag"]
    assert (etag, first.headers["content-type"]) == (made["meta"]["version"], "application/scim+json")
    assert (await corp.directory.ask("GET", path, If_None_Match=etag)).status_code == 304
    named = {"op": "replace", "path": "displayName", "value": "Mme Swann"}
    changed = await corp.directory.patch(path, named, If_Match=etag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    named["value"] = "Too late"
    assert (await corp.directory.patch(path, named, If_Match=etag)).status_code == 412
    assert (await corp.directory.ask("DELETE", path, If_Match=etag)).status_code == 412
    assert (await corp.directory.ask("GET", path)).json()["displayName"] == "Mme Swann"
    assert (
        await corp.directory.ask("DELETE", path, If_Match=f'"x", {changed.headers["etag"]}')
    ).status_code == 204


async def test_two_organizations_see_nothing_of_each_other(
    app: App, people: People, edge: Edge, keys: Keys, corp: Corp
) -> None:
    theirs = await corp.directory.hire(ODETTE, externalId="1")
    group = await corp.directory.group("Hosts", theirs)
    async with open_corp(app, people, edge, keys, name="rival.example") as rival:
        mine = await rival.directory.hire("swann@rival.example", externalId="1")
        assert [each["id"] for each in (await rival.directory.ask("GET", "Users")).json()["Resources"]] == [
            mine["id"]
        ]
        assert (await rival.directory.ask("GET", "Groups")).json()["totalResults"] == 0
        for path in (f"Users/{theirs['id']}", f"Groups/{group['id']}"):
            random = path[:-5] + "00000"
            for method, body in (
                ("GET", None),
                ("DELETE", None),
                ("PUT", {"userName": "swann@rival.example", "displayName": "x"}),
                ("PATCH", {"Operations": [{"op": "replace", "path": "displayName", "value": "x"}]}),
            ):
                answers = [await rival.directory.ask(method, each, body) for each in (path, random)]
                assert [each.status_code for each in answers] == [404, 404], answers[0].text
                assert answers[0].content == answers[1].content
        stolen = await rival.directory.ask(
            "POST", "Groups", {"displayName": "Thieves", "members": [{"value": theirs["id"]}]}
        )
        assert (stolen.status_code, stolen.json()["scimType"]) == (400, "invalidValue")
    assert (await corp.roles())[ODETTE] == "viewer"


async def test_a_log_in_makes_nobody_a_member_whom_the_provider_does_not_manage(corp: Corp) -> None:
    made = await corp.directory.hire(ODETTE, active=False)
    async with corp.app.db.begin_platform(reason="look into the database in a test") as tx:
        found = await member_store.find_person(tx, ODETTE)
        assert found is not None
        assertion = Assertion("https://login.corp.example", "1", ODETTE, "Odette")
        with pytest.raises(ScimNotProvisioned):
            await sso_arrivals._enrol(corp.app, tx, corp.connection, assertion, found[0], by=BY)
    assert ODETTE not in await corp.roles()
    await corp.directory.patch(f"Users/{made['id']}", {"op": "add", "path": "active", "value": True})
    async with corp.app.db.begin_platform(reason="look into the database in a test") as tx:
        await sso_arrivals._enrol(corp.app, tx, corp.connection, assertion, found[0], by=BY)


async def test_two_parallel_wishes_for_one_address_make_one_user(corp: Corp) -> None:
    body = {"userName": ODETTE, "displayName": "Odette"}
    answers = await asyncio.gather(*(corp.directory.ask("POST", "Users", body) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    lost = next(each for each in answers if each.status_code == 409)
    assert lost.json()["scimType"] == "uniqueness"
    assert (await corp.directory.ask("GET", "Users")).json()["totalResults"] == 1


async def test_without_the_lock_the_second_would_find_nobody(corp: Corp) -> None:
    """The control of the test above: a look alone does not see who is just being made; the lock waits."""
    wish = UserWish(ODETTE, "Odette", active=True)
    async with corp.app.db.begin_platform(reason="make somebody slowly in a test") as first:
        await registration_store.lock_address(first, ODETTE)
        await member_store.insert_person(
            first, ids.new(), email=ODETTE, display_name="Odette", language="fr", password_hash=""
        )
        async with corp.app.db.begin_platform(reason="look without the lock in a test") as second:
            assert await member_store.find_person(second, ODETTE) is None
        waiting = asyncio.create_task(scim_users.create_user(corp.app, corp.connection, wish, by=BY))
        await eventually(lambda: waiting_for_locks(corp.app.db))
        assert not waiting.done()
    made = await waiting
    assert made.active
    with pytest.raises(ScimUserNameTaken):
        await scim_users.create_user(corp.app, corp.connection, wish, by=BY)


async def test_pages_stay_where_they_are_while_people_come(corp: Corp) -> None:
    for number in range(5):
        await corp.directory.hire(f"{number}@corp.example")
    seen: list[str] = []
    for start in (1, 3, 5, 7):
        page = (await corp.directory.ask("GET", f"Users?startIndex={start}&count=2")).json()
        assert (page["startIndex"], page["totalResults"]) == (start, 5 + len(seen) // 2)
        seen += [each["userName"] for each in page.get("Resources", [])]
        await corp.directory.hire(f"{100 - start}@corp.example")
    assert seen == [f"{each}@corp.example" for each in (0, 1, 2, 3, 4, 99, 97, 95)]
    many = (await corp.directory.ask("GET", "Users?count=100000&sortBy=userName")).json()
    assert (many["itemsPerPage"], many["totalResults"]) == (9, 9)
    none = (await corp.directory.ask("GET", "Users?count=0")).json()
    assert (none["totalResults"], none.get("Resources", [])) == (9, [])


async def test_whoever_an_admin_removes_is_inactive_to_the_provider(corp: Corp, people: People) -> None:
    host = await hire(people, corp.owner, ODETTE, "host")
    made = await corp.directory.hire(ODETTE)
    assert host.user is not None
    await members.remove_member(corp.app, corp.owner, host.user, by=by(corp.owner))
    assert (await corp.directory.ask("GET", f"Users/{made['id']}")).json()["active"] is False


async def test_a_domain_that_moves_to_another_connection_takes_its_people_along(
    corp: Corp, people: People
) -> None:

    first = await corp.directory.hire(ODETTE)
    owner = await log_in(people, "paulette@corp.example")
    await connections.update_connection(
        corp.app,
        owner,
        corp.connection.id,
        corp.connection.provider,
        corp.connection.rules,
        secret="",
        domains=(),
        by=by(owner),
    )
    assert (await corp.directory.ask("POST", "Users", {"userName": ODETTE})).status_code == 400

    other = await connect(corp.app, owner, "corp.example")
    async with directory_at(corp.gateway, await token_of(corp.app, owner, other)) as new:
        second = await new.hire(ODETTE)
        assert second["id"] != first["id"]
        assert (await corp.directory.ask("GET", f"Users/{first['id']}")).status_code == 404
