"""The audit log: what is written, that no change stays unseen, and that nobody who serves can make one."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from asyncpg.exceptions import InsufficientPrivilegeError, RestrictViolationError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from auth.app import App
from auth.domain.audit import GENESIS, PLATFORM_CHAIN, Action, ActorKind, Author, Entry, verify
from auth.domain.sessions import REUSE_INTERVAL, EndReason, RefreshTokenReused
from auth.store import audit
from auth.tables import AUDIT_ENTRIES
from auth.usecases import own_sessions, sessions
from servicekit import ids
from testkit.databases import ServiceDatabases

from .conftest import PASSWORD, PLACE, People

EMAIL = "paulette@example.org"
SOMEBODY = Author(ActorKind.USER, ids.new(), address=PLACE, request_id="request-1")


async def write(app: App, chain: object, number: int) -> None:
    async with app.db.begin_platform(reason="write to the audit log in a test") as tx:
        await audit.record(
            tx,
            chain,  # type: ignore[arg-type]
            SOMEBODY,
            Action.SESSION_REVOKED,
            target=f"ses_{number}",
            before={"name": None, "on": True},
            after={"name": "Zoé “2” \\u0000", "number": number, "list": ["b", "a"]},
        )


async def chain_of(app: App, people: People, length: int) -> list[Entry]:
    organization = ids.new()
    for number in range(length):
        await write(app, organization, number)
    return await people.log(organization)


async def test_what_is_read_back_is_what_was_chained(app: App, people: People) -> None:
    entries = await chain_of(app, people, 3)
    assert [each.seq for each in entries] == [1, 2, 3]
    assert entries[0].previous_hash == GENESIS
    assert verify(entries) is None
    assert verify(entries[1:], previous_hash=entries[0].hash, seq=1) is None
    assert entries[2].after == {"name": "Zoé “2” \\u0000", "number": 2, "list": ["b", "a"]}


TAMPERINGS: dict[str, Callable[[Entry], Entry]] = {
    "seq": lambda each: replace(each, seq=7),
    "id": lambda each: replace(each, id=ids.new()),
    "organization": lambda each: replace(each, organization_id=ids.new()),
    "at": lambda each: replace(each, at=each.at + timedelta(microseconds=1)),
    "actor kind": lambda each: replace(each, actor_kind=ActorKind.SYSTEM),
    "actor": lambda each: replace(each, actor_id=ids.new()),
    "behalf": lambda each: replace(each, on_behalf_of=ids.new()),
    "action": lambda each: replace(each, action=Action.SESSION_CLOSED),
    "target": lambda each: replace(each, target="ses_another"),
    "address": lambda each: replace(each, address="198.51.100.9"),
    "request": lambda each: replace(each, request_id="another"),
    "before": lambda each: replace(each, before=None),
    "after": lambda each: replace(each, after={"name": "Zoe"}),
    "previous hash": lambda each: replace(each, previous_hash=GENESIS),
    "hash": lambda each: replace(each, hash=bytes(32)),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_a_changed_entry_is_found(app: App, people: People, tampering: str) -> None:
    first, second, third = await chain_of(app, people, 3)
    assert verify([first, TAMPERINGS[tampering](second), third]) == 2


async def test_a_changed_entry_with_a_new_hash_breaks_the_next(app: App, people: People) -> None:
    first, second, third = await chain_of(app, people, 3)
    forged = replace(second, target="ses_another")
    forged = replace(forged, hash=forged.digest())
    assert verify([first, forged, third]) == 3


async def test_an_entry_left_out_put_in_or_moved_is_found(app: App, people: People) -> None:
    first, second, third = await chain_of(app, people, 3)
    (foreign,) = await chain_of(app, people, 1)
    assert verify([first, third]) == 2
    assert verify([second, third]) == 1
    assert verify([first, third, second]) == 2
    assert verify([first, foreign, second, third]) == 2


async def test_many_who_write_at_once_make_one_chain(app: App, people: People) -> None:
    organization = ids.new()
    await asyncio.gather(*(write(app, organization, number) for number in range(20)))
    entries = await people.log(organization)
    assert [each.seq for each in entries] == list(range(1, 21))
    assert verify(entries) is None


async def test_without_the_lock_of_the_head_two_entries_would_claim_one_place(
    app: App, people: People
) -> None:
    """The control of the test above: an entry made for a head that was read without the lock is refused."""
    (first,) = await chain_of(app, people, 1)
    stale = replace(first, id=ids.new(), seq=first.seq + 1, previous_hash=first.hash)
    await write(app, first.organization_id, 1)
    with pytest.raises(IntegrityError):
        async with app.db.begin(first.organization_id) as tx:
            await tx.execute(sa.insert(AUDIT_ENTRIES), asdict(stale))


@pytest.mark.parametrize("platform", [False, True])
@pytest.mark.parametrize("statement", [sa.update(AUDIT_ENTRIES).values(target="x"), sa.delete(AUDIT_ENTRIES)])
async def test_the_roles_that_serve_can_neither_change_nor_delete(
    app: App, statement: sa.Update | sa.Delete, *, platform: bool
) -> None:
    organization = ids.new()
    await write(app, organization, 0)
    begin = (
        app.db.begin_platform(reason="go round the rules in a test")
        if platform
        else app.db.begin(organization)
    )
    with pytest.raises(DBAPIError) as refusal:
        async with begin as tx:
            await tx.execute(statement)
    assert isinstance(refusal.value.orig.__cause__, InsufficientPrivilegeError)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET target = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "TRUNCATE audit_heads, audit_entries",
    ],
)
async def test_not_even_the_owner_of_the_table_can(
    app: App, service_databases: ServiceDatabases, statement: str
) -> None:
    organization = ids.new()
    await write(app, organization, 0)
    url = service_databases.settings("auth").owner_url
    assert url
    owner = create_async_engine(url.get_secret_value().replace("postgresql:", "postgresql+asyncpg:"))
    with pytest.raises(DBAPIError) as refusal:
        async with owner.begin() as connection:
            tenant = sa.select(sa.func.set_config("app.organization_id", str(organization), True))
            await connection.execute(tenant)
            await connection.execute(sa.text(statement))
    assert isinstance(refusal.value.orig.__cause__, RestrictViolationError)  # type: ignore[union-attr]
    await owner.dispose()


async def test_an_entry_exists_only_if_its_change_does(app: App, people: People) -> None:
    organization = ids.new()
    with pytest.raises(RuntimeError):
        async with app.db.begin(organization) as tx:
            await audit.record(tx, organization, SOMEBODY, Action.SESSION_CLOSED, target="ses_x")
            raise RuntimeError
    assert await people.log(organization) == []
    await write(app, organization, 0)
    assert [each.seq for each in await people.log(organization)] == [1]


async def test_the_platform_has_a_chain_of_its_own_that_no_tenant_sees(app: App, people: People) -> None:
    await write(app, PLATFORM_CHAIN, 0)
    async with app.db.begin(await people.own(EMAIL)) as tx:
        assert await audit.list_entries(tx, PLATFORM_CHAIN) == []
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        (entry,) = await audit.list_entries(tx, PLATFORM_CHAIN)
    assert verify([entry]) is None


async def test_the_life_of_a_session_is_recorded(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    by = Author(ActorKind.USER, session.user_id, address=PLACE, request_id="request-2")
    await own_sessions.reauthenticate(app, session.user_id, session.id, password=PASSWORD, by=by)
    await own_sessions.end_session(app, session.user_id, session.id, reason=EndReason.REVOKED, by=by)
    await own_sessions.end_session(app, session.user_id, session.id, reason=EndReason.REVOKED, by=by)
    await people.end(await people.session(await people.log_in(EMAIL)))
    entries = await people.log(organization)
    assert [each.action for each in entries] == [
        "organization.created",
        "session.opened",
        "session.reauthenticated",
        "session.revoked",
        "session.opened",
        "session.closed",
    ]
    opened = entries[1]
    assert (opened.actor_kind, opened.actor_id) == (ActorKind.USER, session.user_id)
    assert (opened.address, opened.request_id) == (PLACE, "request-of-the-log-in")
    assert opened.target == ids.show("ses", session.id)
    assert opened.after == {"methods": ["pwd"], "device": "Firefox on Linux"}
    assert verify(entries) is None


async def test_a_stolen_token_is_recorded_although_the_call_is_refused(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    stolen = await people.log_in(EMAIL)
    tokens = await sessions.refresh_session(app, stolen.refresh_token)
    await sessions.refresh_session(app, tokens.refresh_token)
    await people.age_sessions(REUSE_INTERVAL)
    thief = Author(ActorKind.NOBODY, address="198.51.100.9")
    with pytest.raises(RefreshTokenReused):
        await sessions.refresh_session(app, stolen.refresh_token, by=thief)
    *_, entry = await people.log(organization)
    assert (entry.action, entry.actor_id, entry.address) == ("refresh_token.reused", None, "198.51.100.9")
    assert (entry.before, entry.after) == ({"counter": 2}, {"presented": 0})
