"""Tabs that refresh while one of them steps up go on, all of them. An old token ends the session."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.app import App
from auth.domain.sessions import REUSE_INTERVAL, EndReason, RefreshTokenReused, Session
from auth.usecases import own_sessions, sessions

from .conftest import PASSWORD, People
from .test_domain import IDLE, NOW, fresh
from .test_own_sessions import by

EMAIL = "paulette@example.org"
STEP_UP = "step up"
TABS = tuple(range(6))


def play(session: Session, order: list[int | str], held: dict[int, int], *, seconds: float) -> Session:
    """Each tab refreshes with what it holds, once, and one steps up, within so many seconds from `NOW`."""
    for place, who in enumerate(order):
        now = NOW + timedelta(seconds=seconds * place / len(order))
        if who == STEP_UP:
            session = session.reauthenticate(("pwd",), now=now, idle=IDLE)
        else:
            session = session.trade(held[int(who)], now=now, idle=IDLE)
        assert session.ended_at is None
    return session


def aged(counter: int) -> Session:
    """A session that has gone on so often, a while ago each time."""
    session = fresh()
    for step in range(counter):
        session = session.trade(step, now=NOW - timedelta(hours=counter - step), idle=IDLE)
    return session


@given(
    st.permutations([*TABS, STEP_UP]),
    st.integers(0, 4),
    st.lists(st.integers(0, 1), min_size=len(TABS), max_size=len(TABS)),
    st.floats(0, REUSE_INTERVAL.total_seconds()),
)
def test_tabs_that_refresh_while_one_steps_up_go_on_in_every_order(
    order: list[int | str], counter: int, behind: list[int], seconds: float
) -> None:
    """Each tab holds the newest token or its parent, which was good for as long as nothing happened."""
    held = {tab: max(counter - behind[tab], 0) for tab in TABS}
    session = play(aged(counter), order, held, seconds=seconds)
    assert counter + 1 <= session.counter <= counter + 2


@given(st.integers(2, 6), st.data())
def test_what_was_too_old_before_the_step_is_too_old_after_it(counter: int, data: st.DataObject) -> None:
    """Only what was good right before is forgiven: a token of last month is not."""
    session = aged(counter).reauthenticate(("pwd",), now=NOW, idle=IDLE)
    assert session.trade(counter - 1, now=NOW, idle=IDLE).ended_at is None
    old = data.draw(st.integers(0, counter - 2))
    assert session.trade(old, now=NOW, idle=IDLE).end_reason is EndReason.TOKEN_REUSED


@pytest.mark.parametrize(
    ("later", "forgiven"),
    [(REUSE_INTERVAL - timedelta(microseconds=1), True), (REUSE_INTERVAL, False)],
)
def test_two_behind_is_forgiven_for_ten_seconds(later: timedelta, *, forgiven: bool) -> None:
    stepped = fresh().trade(0, now=NOW, idle=IDLE).reauthenticate(("pwd",), now=NOW, idle=IDLE)
    after = stepped.trade(0, now=NOW + later, idle=IDLE)
    assert (after.ended_at is None, after.counter) == (forgiven, 2)
    assert after.end_reason is (None if forgiven else EndReason.TOKEN_REUSED)


async def test_the_step_is_kept(app: App, people: People) -> None:
    """As the review found it: four tabs refresh, one steps up, and a fifth comes a moment later."""
    await people.own(EMAIL)
    first = await people.log_in(EMAIL)
    session = await people.session(first)
    for _ in range(4):
        await sessions.refresh_session(app, first.refresh_token)
    renewed = await own_sessions.reauthenticate(
        app, session.user_id, session.id, password=PASSWORD, by=by(session)
    )
    late = await sessions.refresh_session(app, first.refresh_token)
    assert late.refresh_token == renewed.refresh_token
    await people.age_sessions(REUSE_INTERVAL)
    with pytest.raises(RefreshTokenReused):
        await sessions.refresh_session(app, first.refresh_token)
