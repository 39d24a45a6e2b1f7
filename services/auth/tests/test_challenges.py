"""How often second factors may be wrong, and what challenges and devices are made of: the rules alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.domain.challenges import (
    Challenge,
    Factor,
    FailedAttempts,
    GivenFactor,
    OneFactorWanted,
    Purpose,
    RememberedDevice,
    TooManyFactorAttempts,
    secret_hash,
)
from auth.domain.passkeys import LastWayIn, refuse_last_way_in
from servicekit import ids
from servicekit.errors import RETRY_AFTER

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PYPI = {300: 5, 3600: 20, 86_400: 50}
ages = st.lists(st.integers(0, 90_000), max_size=60)


def refused(attempts: FailedAttempts, now: datetime) -> int:
    """The seconds to wait; 0 when one may try."""
    try:
        attempts.refuse_more(now)
    except TooManyFactorAttempts as error:
        return int(error.metadata[RETRY_AFTER])
    return 0


def failed(seconds_ago: list[int]) -> FailedAttempts:
    return FailedAttempts(tuple(NOW - timedelta(seconds=each) for each in seconds_ago))


@given(seconds_ago=ages)
def test_a_try_is_refused_if_and_only_if_a_limit_is_reached(seconds_ago: list[int]) -> None:
    reached = any(sum(each < window for each in seconds_ago) >= most for window, most in PYPI.items())
    assert (refused(failed(seconds_ago), NOW) > 0) is reached


@given(seconds_ago=ages)
def test_after_the_wait_that_was_told_one_may_try_and_not_before(seconds_ago: list[int]) -> None:
    attempts = failed(seconds_ago)
    wait = refused(attempts, NOW)
    assert refused(attempts, NOW + timedelta(seconds=wait)) == 0
    if wait:
        assert refused(attempts, NOW + timedelta(seconds=wait - 1)) == 1


def test_the_fifth_wrong_answer_within_five_minutes_is_the_last() -> None:
    attempts = FailedAttempts()
    for second in range(5):
        attempts.refuse_more(NOW + timedelta(seconds=second))
        attempts = attempts.with_one_more(NOW + timedelta(seconds=second))
    assert refused(attempts, NOW + timedelta(seconds=5)) == 295


def test_what_no_limit_looks_at_is_not_kept() -> None:
    attempts = failed([86_400, 86_399, 10]).with_one_more(NOW)
    assert [NOW - each for each in attempts.moments] == [timedelta(seconds=each) for each in (86_399, 10, 0)]


def test_a_challenge_keeps_the_hash_of_its_secret_alone_for_five_minutes() -> None:
    user = ids.new()
    secret, kept = Challenge.issue(Purpose.SECOND_FACTOR, user, now=NOW, methods=["pwd", "pwd"])
    assert len(secret) == 32
    assert kept.token_hash == secret_hash(secret)
    assert (kept.user_id, kept.methods, kept.expires_at) == (user, ("pwd",), NOW + timedelta(seconds=300))


def test_a_device_is_remembered_for_thirty_days_by_a_hash() -> None:
    token, device = RememberedDevice.remember(ids.new(), ids.new(), device="", address="", now=NOW)
    assert len(token) >= 43
    assert device.token_hash == secret_hash(token.encode())
    assert device.expires_at - device.created_at == timedelta(days=30)


def test_one_factor_is_given_at_a_time() -> None:
    assert GivenFactor.one_of(code="", recovery_code="", passkey="") is None
    given_code = GivenFactor.one_of(code="123456", recovery_code="", passkey="")
    assert given_code == GivenFactor(Factor.TOTP, "123456")
    with pytest.raises(OneFactorWanted):
        GivenFactor.one_of(code="123456", recovery_code="", passkey="{}")


def test_the_last_way_in_stays() -> None:
    refuse_last_way_in(has_password=True, other_passkeys=0)
    refuse_last_way_in(has_password=False, other_passkeys=1)
    with pytest.raises(LastWayIn):
        refuse_last_way_in(has_password=False, other_passkeys=0)
