"""The hot functions keep their plans. A migration that replaces one has to say so again."""

import pytest

from booking.app import App

HOT = ("read_venue_days", "read_day_versions", "commit_booking")


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_function_plans_its_statements_once(app: App, name: str) -> None:
    """PostgreSQL forgets the setting of a function that is replaced, and then plans at every call."""
    async with app.db.driver() as connection:
        found = await connection.fetch("SELECT proconfig FROM pg_proc WHERE proname = $1", name)
    assert found
    assert all("plan_cache_mode=force_generic_plan" in (each["proconfig"] or []) for each in found)
