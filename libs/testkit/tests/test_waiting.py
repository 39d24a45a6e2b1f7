"""`eventually` answers with what it waited for, and fails with the probe's own reason."""

import pytest

from testkit import eventually


async def test_the_first_truthy_answer_is_returned() -> None:
    answers = iter([None, "", "there"])
    assert await eventually(lambda: next(answers)) == "there"


async def test_a_probe_may_be_asynchronous() -> None:
    answers = iter([0, 7])

    async def probe() -> int:
        return next(answers)

    found: int = await eventually(probe)
    assert found == 7


async def test_the_last_assertion_of_the_probe_is_the_failure() -> None:
    def probe() -> bool:
        raise AssertionError("two of three")

    with pytest.raises(AssertionError, match="two of three"):
        await eventually(probe, timeout=0.1)
    with pytest.raises(AssertionError, match=r"not true within 0\.1 s"):
        await eventually(lambda: None, timeout=0.1)
