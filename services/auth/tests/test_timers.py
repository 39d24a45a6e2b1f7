"""Registrations that are over go."""

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.accounts import VerificationTokenInvalid
from auth.domain.sessions import SessionTokens
from auth.tables import EMAIL_VERIFICATIONS, REGISTRATIONS
from auth.timers import TIMERS
from auth.usecases import registration
from auth.usecases.registration import FORGET_REGISTRATION
from servicekit.database import Database
from testkit import timers

from .conftest import People

EMAIL = "paulette@example.org"


async def count(db: Database, table: sa.Table) -> int:
    async with db.begin_platform(reason="look into the database in a test") as tx:
        found: int = (await tx.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
        return found


async def test_a_registration_is_forgotten_when_its_time_is_over(app: App, people: People) -> None:
    registered = await people.register(EMAIL)
    token = await people.token_for(registered)
    (timer,) = await timers.scheduled(app.db, FORGET_REGISTRATION)
    kept = await people.registration(registered)
    assert kept is not None
    assert timer.due_at == kept.expires_at
    await TIMERS[FORGET_REGISTRATION](app, timer)
    assert await people.registration(registered) is None
    assert await timers.scheduled(app.db) == []
    with pytest.raises(VerificationTokenInvalid):
        await registration.verify_email(app, token)


async def test_a_registration_that_was_prolonged_is_not_forgotten_by_the_timer_before(
    app: App, people: People
) -> None:
    registered = await people.register(EMAIL)
    (stale,) = await timers.scheduled(app.db, FORGET_REGISTRATION)
    token = await people.token_for(registered)
    await TIMERS[FORGET_REGISTRATION](app, stale)
    assert await registration.verify_email(app, token)


async def test_what_is_left_of_a_completed_registration_goes_and_the_account_stays(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    (timer,) = await timers.scheduled(app.db, FORGET_REGISTRATION)
    await TIMERS[FORGET_REGISTRATION](app, timer)
    assert await count(app.db, REGISTRATIONS) == await count(app.db, EMAIL_VERIFICATIONS) == 0
    assert isinstance(await people.log_in(EMAIL), SessionTokens)
