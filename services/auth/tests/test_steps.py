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
STEP_UP, AGAIN = "step up", "and again"
REFRESH = "refresh"
TABS = tuple(range(6))
PAUSES = st.sampled_from([0, 0.5, 3, 9, 9.999, 10, 11, 600])
ACTS = st.lists(st.tuples(PAUSES, st.sampled_from([REFRESH, REFRESH, STEP_UP])), max_size=40)
"""Seconds until it, and what is done."""


def aged(counter: int) -> Session:
    """A session that has gone on so often, a while ago each time."""
    session = fresh()
    for step in range(counter):
        session = session.trade(step, now=NOW - timedelta(hours=counter - step), idle=IDLE)
    return session


@given(
    st.permutations([*TABS, STEP_UP, AGAIN]),
    st.integers(0, 4),
    st.floats(0, REUSE_INTERVAL.total_seconds()),
)
def test_tabs_that_refresh_while_one_steps_up_go_on_in_every_order(
    order: list[int | str], counter: int, seconds: float
) -> None:
    """Each tab refreshes once, with the newest token of before; whatever steps up has tokens of its own."""
    session = aged(counter)
    for place, who in enumerate(order):
        now = NOW + timedelta(seconds=seconds * place / len(order))
        if who in TABS:
            session = session.trade(counter, now=now, idle=IDLE)
        else:
            session = session.reauthenticate(("pwd",), now=now, idle=IDLE)
        assert session.ended_at is None
    assert counter + 2 <= session.counter <= counter + 3


@given(ACTS)
def test_in_a_chain_of_any_length_only_the_immediate_parent_is_forgiven(
    acts: list[tuple[float, str]],
) -> None:
    """The law's sentence, asked of every token that was ever handed out, after every act.

    New credentials make nobody a grandparent within ten seconds: that is the one exception.
    """
    session, now = fresh(), NOW
    followed: list[tuple[timedelta, str]] = []
    for seconds, act in acts:
        now += timedelta(seconds=seconds)
        if act == STEP_UP:
            session = session.reauthenticate(("pwd",), now=now, idle=IDLE)
        else:
            session = session.trade(session.counter, now=now, idle=IDLE)
        followed.append((now - NOW, act))
        assert session.counter == len(followed)
        parent = session.trade(session.counter - 1, now=now, idle=IDLE)
        assert (parent.counter, parent.ended_at) == (session.counter, None)
        for counter in range(session.counter - 1):
            since, _ = followed[counter]
            spared = now - NOW - since < REUSE_INTERVAL and {each for _, each in followed[counter + 1 :]} == {
                STEP_UP
            }
            after = session.trade(counter, now=now, idle=IDLE)
            assert after.counter == session.counter
            assert spared or after.end_reason is EndReason.TOKEN_REUSED


def test_a_thief_who_refreshes_all_day_keeps_no_old_token_good() -> None:
    """As the review found it: a step every nine seconds, each within the interval of the one before."""
    session = fresh()
    for step in range(9600):
        session = session.trade(step, now=NOW + timedelta(seconds=9 * step), idle=IDLE)
        if step > 0:
            old = session.trade(step - 1, now=session.last_used_at, idle=IDLE)
            assert old.end_reason is EndReason.TOKEN_REUSED
    assert session.trade(1, now=session.last_used_at, idle=IDLE).end_reason is EndReason.TOKEN_REUSED


@given(st.integers(2, 6), st.data())
def test_what_was_too_old_before_the_step_is_too_old_after_it(counter: int, data: st.DataObject) -> None:
    """New credentials bring no old token back, and the one that was newest is the parent then."""
    session = aged(counter).reauthenticate(("pwd",), now=NOW, idle=IDLE)
    assert session.trade(counter, now=NOW, idle=IDLE).ended_at is None
    old = data.draw(st.integers(0, counter - 1))
    assert session.trade(old, now=NOW, idle=IDLE).end_reason is EndReason.TOKEN_REUSED


@pytest.mark.parametrize("stepped_up", [[0], [0, 5, 9]])
@pytest.mark.parametrize(
    ("later", "forgiven"),
    [(REUSE_INTERVAL - timedelta(microseconds=1), True), (REUSE_INTERVAL, False)],
)
def test_two_behind_is_forgiven_for_ten_seconds(
    later: timedelta, stepped_up: list[int], *, forgiven: bool
) -> None:
    """From when it was first followed: nothing that comes later prolongs them."""
    session = fresh().trade(0, now=NOW, idle=IDLE)
    for seconds in stepped_up:
        session = session.reauthenticate(("pwd",), now=NOW + timedelta(seconds=seconds), idle=IDLE)
    after = session.trade(0, now=NOW + later, idle=IDLE)
    assert (after.ended_at is None, after.counter) == (forgiven, 1 + len(stepped_up))
    assert after.end_reason is (None if forgiven else EndReason.TOKEN_REUSED)


async def test_two_refreshes_within_a_moment_make_the_first_token_too_old(app: App, people: People) -> None:
    await people.own(EMAIL)
    first = await people.log_in(EMAIL)
    second = await sessions.refresh_session(app, first.refresh_token)
    await sessions.refresh_session(app, second.refresh_token)
    with pytest.raises(RefreshTokenReused):
        await sessions.refresh_session(app, first.refresh_token)
    assert (await people.session(second)).end_reason is EndReason.TOKEN_REUSED


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
