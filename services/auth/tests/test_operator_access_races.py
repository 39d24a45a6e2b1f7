"""Break-glass when several act at once: who renews, ends and logs out together leaves nothing that holds."""

import asyncio
from datetime import timedelta

import pytest

from auth.app import App
from auth.domain.operator_access import AccessEnd, OperatorAccessOver
from auth.domain.sessions import EndReason
from auth.store import operator_accesses as store
from auth.usecases import operator_access, operator_sessions
from servicekit import paging
from servicekit.errors import Unauthenticated
from testkit import eventually
from testkit.waiting import waiting_for_locks

from .conftest import People
from .operating import OWNER, WISH, Agent, Scene, said
from .staff import by, log_in


@pytest.fixture
async def scene(app: App, people: People) -> Scene:
    organization = await people.own(OWNER)
    return Scene(app, people, organization, await Agent.add(app))


@pytest.mark.parametrize("round_", range(4))
async def test_who_renews_while_the_organization_ends_it_gets_nothing_that_holds(
    scene: Scene, round_: int
) -> None:
    """Whichever comes first: afterwards no renewal works, and every token there is names what is revoked."""
    access, claims = await scene.begin()
    owner = by(await log_in(scene.people, OWNER))

    async def renew() -> str | None:
        try:
            return (await operator_access.renew_access(scene.app, scene.agent.id, access.id))[0]
        except OperatorAccessOver:
            return None

    async def end() -> None:
        await operator_access.end_access_to(scene.app, scene.organization, access.id, by=owner)

    tries = [renew() for _ in range(4)]
    done = await asyncio.gather(*tries[:round_], end(), *tries[round_:])
    tokens = [said(each) for each in done if isinstance(each, str)]
    revoked = {str(each) for each in await scene.revoked()}
    assert {each["sid"] for each in [claims, *tokens]} <= revoked
    assert await renew() is None


async def test_a_renewal_waits_for_an_end_that_is_under_way_and_is_refused(scene: Scene) -> None:
    access, _ = await scene.begin()
    async with scene.app.db.begin_platform(reason="end access slowly in a test") as tx:
        held = await store.lock_access(tx, access.id)
        assert held is not None
        await store.end_access(tx, held.end(AccessEnd.ORGANIZATION, now=tx.now))
        renewal = asyncio.ensure_future(operator_access.renew_access(scene.app, scene.agent.id, access.id))
        assert await eventually(lambda: waiting_for_locks(scene.app.db))
        assert not renewal.done()
    with pytest.raises(OperatorAccessOver):
        await renewal


async def test_without_the_lock_a_token_would_be_made_after_the_end(scene: Scene) -> None:
    """The control: what is read before the end, and not locked, still gives a token."""
    access, _ = await scene.begin()
    async with scene.app.db.begin_platform(reason="look without a lock in a test") as tx:
        seen = await store.get_access(tx, access.id)
        await scene.end_by_owner(access)
        assert seen is not None
        assert seen.token_lifetime(timedelta(minutes=10), now=tx.now) > timedelta(0)
    with pytest.raises(OperatorAccessOver):
        (await scene.now(access)).token_lifetime(timedelta(minutes=10), now=tx.now)


async def test_who_logs_out_while_access_begins_leaves_none_behind(scene: Scene) -> None:
    agent = scene.agent
    session = await agent.session(await agent.log_in())

    async def begin() -> None:
        with pytest.raises(Unauthenticated):
            for _ in range(20):
                await operator_access.begin_access(
                    scene.app, agent.id, session.id, scene.organization, WISH, by=agent.by
                )

    async def log_out() -> None:
        await operator_sessions.end_operator_session(
            scene.app, agent.id, session.id, reason=EndReason.LOGGED_OUT, by=agent.by
        )

    await asyncio.gather(begin(), log_out())
    page = paging.page(0, "", "test", keys=1)
    left, _ = await operator_access.list_access_to(scene.app, scene.organization, page)
    assert all(each.ended_at is not None for each in left)
