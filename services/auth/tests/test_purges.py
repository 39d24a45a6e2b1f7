"""What is over goes after its time, and nothing that still holds ever does."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.store.purges import SESSIONS_KEPT
from auth.tables import (
    CHALLENGES,
    KNOWN_DEVICES,
    LOG_IN_ATTEMPTS,
    MEMBERSHIPS,
    OPERATOR_SECRETS,
    OPERATOR_SESSIONS,
    OPERATORS,
    REMEMBERED_DEVICES,
    REVOCATIONS,
    SESSIONS,
    SSO_ARRIVALS,
    SSO_ATTEMPTS,
    WISH_COUNTS,
)
from auth.timers import TIMERS
from servicekit import ids, purging
from servicekit.telemetry import metrics
from servicekit.timers import Timer
from testkit.purging import purge
from testkit.timers import scheduled

from .conftest import People

EMAIL = "paulette@example.org"
MARGIN = timedelta(minutes=1)
"""What no age of these tests is nearer to a bound than, so that the time they take decides nothing."""


async def rows(app: App, table: sa.Table) -> list[sa.Row[Any]]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return list((await tx.execute(sa.select(table))).all())


async def insert(app: App, table: sa.Table, *wanted: dict[str, Any]) -> None:
    async with app.db.begin_platform(reason="make rows in a test") as tx:
        await tx.execute(sa.insert(table), list(wanted))


async def clock(app: App) -> datetime:
    async with app.db.begin_platform(reason="ask for the time in a test") as tx:
        return tx.now


def session(organization: UUID, user: UUID, now: datetime, chance: random.Random) -> dict[str, Any]:
    """Some session: it ended or not, and its time ran out or not, at random."""
    ages = [timedelta(days=days) for days in (-20, -1, 0, 1, 60, 89, 90, 91, 400)]
    expires = now - chance.choice(ages) - MARGIN
    ended = chance.choice([None, now - chance.choice([age for age in ages if age >= timedelta()]) + MARGIN])
    return {
        "id": ids.new(),
        "organization_id": organization,
        "user_id": user,
        "counter": 0,
        "salt": bytes(32),
        "created_at": expires - timedelta(days=30),
        "last_used_at": expires - timedelta(days=29),
        "expires_at": expires,
        "ended_at": ended,
    }


@pytest.mark.parametrize("seed", range(4))
async def test_sessions_go_long_after_they_ended_and_no_others(app: App, people: People, seed: int) -> None:
    """Against the obvious rule, said row by row."""
    chance = random.Random(seed)  # noqa: S311
    now = await clock(app)
    owners = [await people.own(email) for email in (EMAIL, "marcel@example.org", "odette@example.org")]
    members = {row.organization_id: row.user_id for row in await rows(app, MEMBERSHIPS)}
    made = [
        session(organization, members[organization], now, chance)
        for organization in owners
        for _ in range(chance.choice([3, 30, purging.BATCH + 50]))
    ]
    await insert(app, SESSIONS, *made)
    await purge(app, app.db, TIMERS, "sessions")
    kept = {row.id for row in await rows(app, SESSIONS)}
    oracle = set()
    for each in made:
        over = each["expires_at"] if each["ended_at"] is None else each["ended_at"]
        if not over < now - SESSIONS_KEPT:
            oracle.add(each["id"])
    assert kept == oracle
    assert kept < {each["id"] for each in made}


async def test_who_is_logged_in_stays_so(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    await purge(app, app.db, TIMERS, "sessions", "leftovers")
    assert (await people.session(tokens)).ended_at is None


def leftovers(user: UUID, now: datetime, *, over: bool) -> list[tuple[sa.Table, dict[str, Any]]]:
    """One of each, over for a minute or for another minute not yet."""
    ends = now - MARGIN if over else now + MARGIN
    token = ids.new().bytes * 2
    attempt = {"connection": "google", "challenge": "", "expires_at": ends}
    return [
        (SSO_ATTEMPTS, attempt | {"state_hash": token, "browser_hash": token, "nonce": "",
                                  "sealed_verifier": b"", "return_to": ""}),
        (SSO_ARRIVALS, attempt | {"code_hash": token, "issuer": "", "subject": "", "email": EMAIL,
                                  "name": "Paulette", "groups": (), "second_factor": False}),
        (CHALLENGES, {"token_hash": token, "purpose": "log_in", "user_id": user, "methods": (),
                      "expires_at": ends}),
        (LOG_IN_ATTEMPTS, {"key": token, "attempts": 1, "since": ends - timedelta(minutes=15)}),
        (WISH_COUNTS, {"key": token, "count": 1, "ends_at": ends}),
        (REVOCATIONS, {"id": ids.new(), "organization_id": ids.new(),
                       "revoked_at": ends - timedelta(hours=2)}),
        (REMEMBERED_DEVICES, {"id": ids.new(), "user_id": user, "token_hash": token, "device": "",
                              "address": "", "created_at": now, "last_used_at": now, "expires_at": ends}),
        (KNOWN_DEVICES, {"user_id": user, "fingerprint": token, "seen_at": ends - timedelta(days=90)}),
        (OPERATOR_SECRETS, {"token_hash": token, "operator_id": user, "purpose": "enrolment",
                            "expires_at": ends}),
        (OPERATOR_SESSIONS, {"id": ids.new(), "operator_id": user, "counter": 0, "salt": bytes(32),
                             "created_at": now, "last_used_at": now, "methods": (), "device": "",
                             "authenticated_at": now, "address": "", "expires_at": now,
                             "ended_at": ends - timedelta(days=90)}),
    ]  # fmt: skip


async def test_what_nobody_came_back_for_goes_without_anybody_coming(app: App, people: People) -> None:
    await people.own(EMAIL)
    now, (owner,) = await clock(app), await rows(app, MEMBERSHIPS)
    operator = {"id": owner.user_id, "email": EMAIL, "display_name": "Odile", "role": "admin"}
    await insert(app, OPERATORS, operator | {"created_at": now, "password_hash": ""})
    kept = leftovers(owner.user_id, now, over=False)
    over = leftovers(owner.user_id, now, over=True)
    for table, row in [*kept, *over]:
        await insert(app, table, row)
    await purge(app, app.db, TIMERS, "leftovers")
    for (table, left), (_, gone) in zip(kept, over, strict=True):
        there = [row._mapping for row in await rows(app, table)]
        assert any(left.items() <= row.items() for row in there), table.name
        assert not any(gone.items() <= row.items() for row in there), table.name


async def test_a_round_goes_on_where_it_stopped_and_begins_anew_later(app: App, people: People) -> None:
    """More than one stretch may delete: the timer says that it goes on, and then that it is through."""
    organization = await people.own(EMAIL)
    (owner,) = await rows(app, MEMBERSHIPS)
    now = await clock(app)
    old = [
        session(organization, owner.user_id, now, random.Random(0)) | {"ended_at": now - timedelta(days=100)}  # noqa: S311
        for _ in range(purging.BATCH * 50 + 1)
    ]
    await insert(app, SESSIONS, *old)
    counted = metrics.ROWS_PURGED.labels("sessions")._value.get()
    timer = Timer(ids.new(), None, purging.PURGE, "sessions", now, 1, {})
    await TIMERS[purging.PURGE](app, timer)
    assert len(await rows(app, SESSIONS)) == 1
    (again,) = await scheduled(app.db, purging.PURGE)
    assert again.payload == {"after": str(UUID(int=0))}
    await TIMERS[purging.PURGE](app, again)
    assert await rows(app, SESSIONS) == []
    (later,) = await scheduled(app.db, purging.PURGE)
    assert later.payload == {}
    assert later.due_at >= again.due_at + purging.EVERY
    assert metrics.ROWS_PURGED.labels("sessions")._value.get() - counted == len(old)
