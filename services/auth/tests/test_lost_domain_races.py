"""Races of log-ins with the loss of a domain: each sees the other whole, under the organization's lock."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action
from auth.domain.challenges import ChallengeInvalid, Factor, PendingLogIn
from auth.domain.connections import Connection
from auth.domain.sso import EmailNotOfDomain
from auth.store import connections as store
from auth.store import members as member_store
from auth.timers import TIMERS
from auth.usecases.domains import LOOK_FOR_DOMAIN
from servicekit.identity import Caller
from testkit import timers
from testkit.waiting import eventually, waiting_for_locks

from .conftest import People
from .holders import Holder
from .mailbox import written
from .providers_of_people import connect, with_dns
from .staff import log_in
from .test_reach_of_connections import arrive

OWNER, SWANN = "paulette@corp.example", "swann@corp.example"


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def _lose(app: App, tx: Any, connection: Connection) -> None:
    lost = replace(connection.domains[0], verified_at=None)
    await store.save_look(tx, connection, lost)


async def test_a_log_in_that_comes_while_the_domain_is_lost_sees_the_loss(
    app: App, people: People, owner: Caller
) -> None:
    connection = await connect(app, owner, "corp.example")
    async with app.db.begin_platform(reason="lose a domain in a test") as tx:
        await member_store.lock_organization(tx, owner.tenant)
        arriving = asyncio.create_task(arrive(app, connection, SWANN))
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        await _lose(app, tx, connection)
    with pytest.raises(EmailNotOfDomain):
        await arriving


async def test_a_second_step_that_comes_while_the_domain_is_lost_sees_the_loss(
    app: App, people: People, owner: Caller
) -> None:
    swann = await (await Holder.register(app, people, SWANN)).add_totp()
    connection = await connect(app, owner, "corp.example")
    pending = await arrive(app, connection, SWANN)
    assert isinstance(pending, PendingLogIn)
    await swann.let_codes_pass()
    async with app.db.begin_platform(reason="lose a domain in a test") as tx:
        await member_store.lock_organization(tx, owner.tenant)
        answering = asyncio.create_task(swann.answer(pending, Factor.TOTP, swann.code()))
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        await _lose(app, tx, connection)
    with pytest.raises(ChallengeInvalid):
        await answering


async def test_the_timer_waits_for_a_log_in_and_two_of_it_do_one_thing(
    app: App, people: People, owner: Caller
) -> None:
    async def nothing_is_there(_name: str) -> Sequence[str]:
        return ()

    await connect(app, owner, "corp.example")
    app = replace(app, look_up_txt=nothing_is_there)
    (timer,) = await timers.scheduled(app.db, LOOK_FOR_DOMAIN)
    async with app.db.begin_platform(reason="log in by a connection in a test") as tx:
        await member_store.lock_organization(tx, owner.tenant)
        both = [asyncio.create_task(TIMERS[LOOK_FOR_DOMAIN](app, timer)) for _ in range(2)]
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        assert not any(each.done() for each in both)
    await asyncio.gather(*both)
    assert len(await written(app, MailKind.DOMAIN_MISSING)) == 1
    log = [each.action for each in await people.log(owner.tenant)]
    assert log.count(Action.DOMAIN_MISSING) == 1
    assert len(await timers.scheduled(app.db, LOOK_FOR_DOMAIN)) == 1


async def test_a_look_that_finds_the_record_waits_for_a_log_in_as_well(app: App, owner: Caller) -> None:
    """It writes no mail and no entry, which would wait for the organization by themselves."""
    await connect(app, owner, "corp.example")
    (timer,) = await timers.scheduled(app.db, LOOK_FOR_DOMAIN)
    async with app.db.begin_platform(reason="log in by a connection in a test") as tx:
        await member_store.lock_organization(tx, owner.tenant)
        looking = asyncio.create_task(TIMERS[LOOK_FOR_DOMAIN](app, timer))
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        assert not looking.done()
    await looking
