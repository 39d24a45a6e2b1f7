"""Nobody learns from the work that is done whether an address is known; a flood of log-ins harms nobody else.

Compared are hashings and statements, not times: those tell the same on any machine, however busy.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event
from typing import TypeAlias, TypeVar

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import ActorKind, Author
from auth.hashing import Passwords, Verdict
from auth.servicer import servicers
from auth.settings import HashingSettings
from auth.usecases import credentials, registration, sessions
from comptoir.auth.v1 import account_pb2
from comptoir.auth.v1.account_pb2_grpc import AccountServiceStub
from servicekit.errors import AppError, Unavailable
from testkit import eventually
from testkit.callers import member
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import BROWSER, PASSWORD, People

T = TypeVar("T")
Call: TypeAlias = Callable[[App, str, str], Awaitable[None]]

KNOWN = [f"known{number}@example.org" for number in range(3)]
WAITING = [f"waiting{number}@example.org" for number in range(3)]
UNKNOWN = [f"nobody{number}@example.org" for number in range(3)]
WRONG = "a guess and another"


class CountedPasswords(Passwords):
    """Counts what it is asked to do."""

    def __init__(self, settings: HashingSettings) -> None:
        super().__init__(settings)
        self.done: list[str] = []

    async def hash(self, password: str) -> str:
        self.done.append("hash")
        return await super().hash(password)

    async def verify(self, kept: str | None, password: str) -> Verdict:
        self.done.append("verify")
        return await super().verify(kept, password)


@pytest.fixture
async def counted(app: App) -> AsyncIterator[tuple[App, CountedPasswords]]:
    pool = CountedPasswords(HashingSettings())
    yield replace(app, passwords=pool), pool
    pool.close()


@contextmanager
def statements(app: App) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    seen: list[str] = []

    def note(*said: object) -> None:
        seen.append(str(said[2]))

    engine = app.db.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


async def log_in(app: App, email: str, address: str) -> None:
    with suppress(InvalidCredentials):
        await sessions.log_in(
            app, email, WRONG, by=Author(ActorKind.NOBODY, address=address), user_agent=BROWSER
        )


async def register(app: App, email: str, _address: str) -> None:
    await registration.register(
        app, email=email, password=PASSWORD, display_name="P", organization_name="Chez P", language="fr"
    )


async def forget(app: App, email: str, address: str) -> None:
    await credentials.forget_password(app, email, by=Author(ActorKind.NOBODY, address=address))


@pytest.mark.parametrize("call", [log_in, register, forget])
async def test_known_waiting_and_unknown_addresses_cost_the_same_work(
    counted: tuple[App, CountedPasswords], people: People, call: Call
) -> None:
    app, pool = counted
    for email in KNOWN:
        await people.own(email)
    for email in WAITING:
        await people.register(email)
    work = set()
    for number, email in enumerate([*KNOWN, *WAITING, *UNKNOWN]):
        pool.done.clear()
        with statements(app) as sent:
            await call(app, email, f"198.18.{number}.1")
        work.add((tuple(pool.done), tuple(sent)))
    assert len(work) == 1
    ((hashings, sent_by_all),) = work
    assert len(hashings) == (0 if call is forget else 1)
    assert len(sent_by_all) > 2


class HeldPasswords(Passwords):
    """Hashes when it is let."""

    def __init__(self, settings: HashingSettings) -> None:
        super().__init__(settings)
        self.let = Event()

    async def _run(self, work: Callable[[], T]) -> T:
        def held() -> T:
            self.let.wait(60)
            return work()

        return await super()._run(held)


@pytest.fixture
async def slow(app: App) -> AsyncIterator[App]:
    """One thread that hashes, until somebody has looked around, and room for two who wait."""
    pool = HeldPasswords(HashingSettings(workers=1, waiting=2))
    yield replace(app, passwords=pool)
    pool.let.set()
    pool.close()


async def test_a_flood_of_log_ins_is_refused_at_once_and_other_calls_are_answered_meanwhile(
    slow: App, people: People, rpc_edge: StartEdge
) -> None:
    organization = await people.own(KNOWN[0])
    session = await people.session(await people.log_in(KNOWN[0]))
    edge: Edge = await rpc_edge("auth", servicers(slow), slow.db)
    login = [account_pb2.LogInRequest(email=email, password=WRONG) for email in (*UNKNOWN, *WAITING)]
    flood = [asyncio.ensure_future(edge.call(AccountServiceStub, "LogIn", each)) for each in login[:3]]
    assert await eventually(lambda: slow.passwords._admitted._value == 0)
    for each in login[3:5]:
        with pytest.raises(AppError) as refused:
            await edge.call(AccountServiceStub, "LogIn", each)
        assert refused.value.reason == Unavailable.reason
    paulette = replace(member(organization), user=session.user_id, session=session.id)
    me = await edge.call(AccountServiceStub, "GetMe", account_pb2.GetMeRequest(), caller=paulette)
    assert me.email == KNOWN[0]
    assert (await edge.call(AccountServiceStub, "GetMe", account_pb2.GetMeRequest(), caller=paulette)) == me
    assert not any(each.done() for each in flood)
    assert isinstance(slow.passwords, HeldPasswords)
    slow.passwords.let.set()
    await asyncio.gather(*flood, return_exceptions=True)
    assert await eventually(lambda: slow.passwords._admitted._value == 3)
