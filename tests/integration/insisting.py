"""Asking until there is an answer. Repeats nothing that was answered."""

from collections.abc import Awaitable, Callable

import httpx

from testkit import eventually

_LATER = {408, 429, 503}
_UNDER_WAY = {"BUSY", "IDEMPOTENCY_KEY_IN_FLIGHT"}
_PATIENCE = 90.0


async def insist(
    ask: Callable[[], Awaitable[httpx.Response]], *, unheard: tuple[type[Exception], ...] = ()
) -> httpx.Response:
    """The first answer that does not say: later, please.

    What raises one of `unheard` is asked again, too, so it must be safe to repeat.

    Raises:
        AssertionError: there is none in 90 seconds, or only defects.
    """

    async def attempt() -> httpx.Response | None:
        try:
            answer = await ask()
        except unheard:
            return None
        assert answer.status_code < 500 or answer.status_code in _LATER, answer.text
        later = answer.status_code in _LATER
        later |= answer.is_error and answer.json().get("reason") in _UNDER_WAY
        return None if later else answer

    answer = await eventually(attempt, timeout=_PATIENCE)
    assert answer is not None
    return answer
