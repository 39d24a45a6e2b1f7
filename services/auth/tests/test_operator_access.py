"""Break-glass: who gets access to an organization, who sees it, who ends it, and no way back."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind
from auth.domain.challenges import Factor
from auth.domain.members import OrganizationNotFound
from auth.domain.operator_access import (
    AccessEnd,
    OperatorAccessNotFound,
    OperatorAccessOver,
)
from auth.domain.sessions import EndReason
from auth.tables import OPERATOR_ACCESSES, OPERATOR_SESSIONS, OPERATORS, ORGANIZATIONS
from auth.timers import TIMERS
from auth.usecases import operator_access, operator_sessions, operators
from auth.usecases.operator_sessions import END_OPERATOR_ACCESS
from servicekit import ids, paging, permissions
from servicekit.errors import FreshAuthenticationRequired, PermissionDenied, Unauthenticated
from testkit.timers import scheduled

from .conftest import People
from .mailbox import written
from .operating import OWNER, WISH, WRITE, Agent, Scene
from .staff import by, hire, log_in


@pytest.fixture
async def scene(app: App, people: People) -> Scene:
    organization = await people.own(OWNER)
    return Scene(app, people, organization, await Agent.add(app))


async def test_a_token_acts_in_the_organization_for_no_longer_than_the_access(scene: Scene) -> None:
    access, claims = await scene.begin()
    assert claims | {"iat": 0, "exp": 0, "jti": ""} == {
        "iss": "comptoir-auth",
        "aud": "comptoir",
        "sub": str(scene.agent.id),
        "opr": str(scene.agent.id),
        "org": str(scene.organization),
        "sid": str(access.id),
        "role": "operator",
        "scope": " ".join(sorted(permissions.BREAK_GLASS_READ)),
        "amr": ["otp"],
        "auth_time": 0,
        "iat": 0,
        "exp": 0,
        "jti": "",
    }
    assert claims["exp"] - claims["iat"] == 600
    _, short = await scene.begin(replace(WISH, length=timedelta(minutes=3)))
    assert short["exp"] - short["iat"] == 180


async def test_only_an_admin_writes_and_only_who_asked_to(scene: Scene) -> None:
    _, reading = await scene.begin()
    assert not {each for each in reading["scope"].split() if each.endswith(".write")}
    _, writing = await scene.begin(WRITE)
    assert set(writing["scope"].split()) == permissions.BREAK_GLASS_WRITE
    support = await Agent.add(scene.app, "marcel@platform.example", "support")
    with pytest.raises(PermissionDenied):
        await scene.begin(WRITE, support)
    assert (await scene.begin(WISH, support))[0].operator_id == support.id


async def test_the_code_must_be_of_the_last_ten_minutes_and_of_the_app(scene: Scene) -> None:
    agent, app = scene.agent, scene.app

    async def begin(session_id: UUID) -> None:
        await operator_access.begin_access(app, agent.id, session_id, scene.organization, WISH, by=agent.by)

    session = await agent.session(await agent.log_in())
    older = OPERATOR_SESSIONS.c.authenticated_at - timedelta(minutes=10)
    async with app.db.begin_platform(reason="let time pass in a test") as tx:
        await tx.execute(sa.update(OPERATOR_SESSIONS).values(authenticated_at=older))
    with pytest.raises(FreshAuthenticationRequired):
        await begin(session.id)
    by_recovery = await agent.answer(await agent.knock(), Factor.RECOVERY_CODE, agent.recovery_codes[0])
    with pytest.raises(FreshAuthenticationRequired):
        await begin((await agent.session(by_recovery)).id)
    marcel = await Agent.add(app, "marcel@platform.example")
    theirs = await marcel.session(await marcel.log_in())
    for foreign in (theirs.id, ids.new()):
        with pytest.raises(Unauthenticated):
            await begin(foreign)
    assert await scene.entries(PLATFORM_CHAIN) == []


async def test_nobody_has_access_to_what_does_not_exist_nor_to_sandboxes(scene: Scene) -> None:
    session = await scene.agent.session(await scene.agent.log_in())
    sandbox = ids.new_sandbox()
    async with scene.app.db.begin_platform(reason="make a sandbox in a test") as tx:
        values = {"id": sandbox, "name": "Chez Paulette", "sandbox_of": scene.organization}
        await tx.execute(sa.insert(ORGANIZATIONS).values(values))
    for missing in (ids.new(), sandbox):
        with pytest.raises(OrganizationNotFound):
            await operator_access.begin_access(
                scene.app, scene.agent.id, session.id, missing, WISH, by=scene.agent.by
            )


async def test_every_owner_is_mailed_why_and_for_how_long(scene: Scene) -> None:
    await hire(scene.people, await log_in(scene.people, OWNER), "odette@example.org", "admin")
    access, _ = await scene.begin(WRITE)
    (mail,) = await written(scene.app, MailKind.OPERATOR_ACCESS)
    assert mail.visit is not None
    assert (mail.email, mail.language, mail.token) == (OWNER, "fr", "")
    assert (mail.visit.organization_name, mail.visit.access) == ("Chez Paulette", access)


async def test_both_logs_tell_the_whole_story(scene: Scene) -> None:
    access, _ = await scene.begin(WRITE)
    await operator_access.end_own_access(scene.app, scene.agent.id, access.id, by=scene.agent.by)
    target, operator = ids.show("acc", access.id), ids.show("opr", scene.agent.id)
    told = {
        "reason": WISH.reason,
        "ticket": "T-17",
        "minutes": 30,
        "write": True,
        "operator": operator,
    }
    ended = {"reason": "operator", "operator": operator}
    organization = {"organization": ids.show("org", scene.organization)}
    for chain, more in ((scene.organization, {}), (PLATFORM_CHAIN, organization)):
        begun, over = await scene.entries(chain)
        assert (begun.action, begun.target, begun.after) == (
            Action.OPERATOR_ACCESS_BEGUN,
            target,
            told | more,
        )
        assert (over.action, over.target, over.after) == (Action.OPERATOR_ACCESS_ENDED, target, ended | more)
        for entry in (begun, over):
            assert (entry.actor_kind, entry.actor_id) == (ActorKind.OPERATOR, scene.agent.id)


async def test_the_organization_ends_it_at_once_and_there_is_no_way_back(scene: Scene) -> None:
    access, _ = await scene.begin()
    assert await operator_access.renew_access(scene.app, scene.agent.id, access.id)
    await scene.end_by_owner(access)
    assert access.id in await scene.revoked()
    with pytest.raises(OperatorAccessOver):
        await operator_access.renew_access(scene.app, scene.agent.id, access.id)
    await operator_access.end_own_access(scene.app, scene.agent.id, access.id, by=scene.agent.by)
    assert await scheduled(scene.app.db, END_OPERATOR_ACCESS) == []
    kept = await scene.now(access)
    assert kept.end_reason is AccessEnd.ORGANIZATION
    (_, over) = await scene.entries(scene.organization)
    assert over.actor_kind is ActorKind.USER


async def test_another_organization_neither_sees_nor_ends_it(scene: Scene) -> None:
    access, _ = await scene.begin()
    theirs = await scene.people.own("marcel@example.org")
    for foreign in (access.id, ids.new()):
        with pytest.raises(OperatorAccessNotFound):
            await operator_access.end_access_to(
                scene.app, theirs, foreign, by=by(await log_in(scene.people, "marcel@example.org"))
            )
    page = paging.page(0, "", "test", keys=1)
    assert await operator_access.list_access_to(scene.app, theirs, page) == ([], "")
    assert (await scene.now(access)).ended_at is None


async def test_another_operator_neither_renews_nor_ends_it(scene: Scene) -> None:
    access, _ = await scene.begin()
    marcel = await Agent.add(scene.app, "marcel@platform.example")
    with pytest.raises(OperatorAccessNotFound):
        await operator_access.renew_access(scene.app, marcel.id, access.id)
    with pytest.raises(OperatorAccessNotFound):
        await operator_access.end_own_access(scene.app, marcel.id, access.id, by=marcel.by)


async def test_it_ends_by_itself_and_says_so(scene: Scene) -> None:
    access, _ = await scene.begin(replace(WISH, length=timedelta(minutes=1)))
    await scene.people.age(OPERATOR_ACCESSES, timedelta(minutes=1))
    with pytest.raises(OperatorAccessOver):
        await operator_access.renew_access(scene.app, scene.agent.id, access.id)
    (timer,) = await scheduled(scene.app.db, END_OPERATOR_ACCESS)
    assert timer.due_at == access.ends_at
    await TIMERS[END_OPERATOR_ACCESS](scene.app, timer)
    assert (await scene.now(access)).end_reason is AccessEnd.EXPIRED
    (_, over) = await scene.entries(scene.organization)
    assert (over.actor_kind, (over.after or {})["reason"]) == (ActorKind.SYSTEM, "expired")
    assert access.id in await scene.revoked()


async def test_it_ends_with_the_operators_session_and_account(scene: Scene) -> None:
    agent, app = scene.agent, scene.app
    access, _ = await scene.begin()
    other, _ = await scene.begin()
    await operator_sessions.end_operator_session(
        app, agent.id, access.session_id, reason=EndReason.LOGGED_OUT, by=agent.by
    )
    assert (await scene.now(access)).end_reason is AccessEnd.SESSION_ENDED
    assert (await scene.now(other)).ended_at is None
    marcel = await Agent.add(app, "marcel@platform.example")
    await operators.disable_operator(app, agent.id, by=marcel.by)
    assert (await scene.now(other)).end_reason is AccessEnd.SESSION_ENDED
    assert {access.id, other.id} <= await scene.revoked()
    assert len(await scene.entries(scene.organization)) == 4
    with pytest.raises(OperatorAccessOver):
        await operator_access.renew_access(app, agent.id, other.id)
    with pytest.raises(Unauthenticated):
        await operator_access.begin_access(
            app, agent.id, other.session_id, scene.organization, WISH, by=agent.by
        )


async def test_everybody_who_may_sees_all_there_ever_was_page_by_page(scene: Scene) -> None:
    begun = [(await scene.begin())[0] for _ in range(3)]
    await scene.end_by_owner(begun[0])
    newest_first = [each.id for each in reversed(begun)]
    for scope in (scene.organization, None):
        found: list[UUID] = []
        token = ""
        for _ in range(2):
            page = paging.page(2, token, "test", keys=1)
            shown, token = (
                await operator_access.list_access_to(scene.app, scope, page)
                if scope
                else await operator_access.list_all_access(scene.app, None, page)
            )
            found += [each.id for each in shown]
        assert (found, token) == (newest_first, "")
    page = paging.page(0, "", "test", keys=1)
    of_nobody, _ = await operator_access.list_all_access(scene.app, ids.new(), page)
    assert of_nobody == []


async def test_organizations_are_found_by_name_and_id_and_nothing_else_is_said(scene: Scene) -> None:
    others = [await scene.people.own(f"owner{number}@example.org") for number in range(3)]
    async with scene.app.db.begin_platform(reason="rename in a test") as tx:
        names = dict(zip(others, ("100% Pasta", "Le Zinc", "ZINC_bar"), strict=True))
        for organization, name in names.items():
            await tx.execute(
                sa.update(ORGANIZATIONS).where(ORGANIZATIONS.c.id == organization).values(name=name)
            )

    async def find(query: str, size: int = 0) -> list[UUID]:
        found, token = await operator_access.search_organizations(
            scene.app, query, paging.page(size, "", "test", keys=1)
        )
        if token:
            more, _ = await operator_access.search_organizations(
                scene.app, query, paging.page(size, token, "test", keys=1)
            )
            found += more
        return [each.id for each in found]

    assert await find("zinc") == await find(" Zinc ", 1) == others[1:]
    assert await find("%") == others[:1]
    assert await find("_") == others[2:]
    assert await find("") == [scene.organization, *others]
    assert await find(ids.show("org", others[0])) == others[:1]
    assert await find(ids.show("org", ids.new())) == []
    assert await find(OWNER) == []


async def test_a_database_refuses_access_of_more_than_an_hour(scene: Scene) -> None:
    access, _ = await scene.begin()
    async with scene.app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(sa.select(OPERATORS.c.id))).scalars().all() == [scene.agent.id]
    with pytest.raises(Exception, match="operator_accesses_short"):
        async with scene.app.db.begin_platform(reason="lengthen access in a test") as tx:
            longer = OPERATOR_ACCESSES.c.ends_at + timedelta(hours=1)
            await tx.execute(
                sa.update(OPERATOR_ACCESSES).where(OPERATOR_ACCESSES.c.id == access.id).values(ends_at=longer)
            )
