"""Staff rebuild a venue while guests book, on three processes: nobody gets what is gone, unless listed."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform
from testkit import eventually

from .arena import Arena, open_arena
from .conftest import new_owner
from .held_days import days_held

Wish = tuple[int, str]
"""People and start."""
_Change = Coroutine[Any, Any, httpx.Response]
_CREATED = 201
_PATIENCE = 60.0


@pytest.fixture(scope="module")
def staff(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


def _out_of_service(house: Arena) -> _Change:
    gone = {"name": "T1", "min_party": 1, "max_party": 2, "out_of_service": True}
    return house.rebuild("PUT", f"resources/{house.tables['T1']}", gone)


def _no_hours(house: Arena) -> _Change:
    return house.rebuild("DELETE", f"shifts/{house.shift}")


def _closed(house: Arena) -> _Change:
    return house.rebuild(
        "POST", "closures", {"first_date": house.at()[:10], "last_date": house.at(days=40)[:10]}
    )


@pytest.fixture
def table_for_two(http: httpx.AsyncClient, staff: Owner, platform: Platform) -> Arena:
    return open_arena(http, staff, platform, tables=[("T1", 1, 2)])


@pytest.mark.parametrize(
    ("change", "reason", "why"),
    [
        (_out_of_service, "NO_TABLE_FOR_PARTY", "resource_out_of_service"),
        (_no_hours, "SLOT_CLOSED", "closed"),
        (_closed, "SLOT_CLOSED", "closed"),
    ],
    ids=["out of service", "hours", "closure"],
)
async def test_whoever_got_what_is_gone_is_listed_as_stranded(
    change: Callable[[Arena], _Change], reason: str, why: str, table_for_two: Arena
) -> None:
    house = table_for_two
    first, others = ([(2, house.at(hour, days=days)) for days in range(6)] for hour in (18, 20))
    answers, changed = await _rush(house, first, others, change(house))

    assert {_reason(each) for each in answers if each.status_code != _CREATED} <= {reason}
    made = {each.json()["booking"]["id"] for each in answers if each.status_code == _CREATED}
    assert set(changed["stranded_booking_ids"]) == made
    days = f"from={house.at()[:10]}&to={house.at(days=10)[:10]}"
    listed = (await house.staff("GET", f"venues/{house.venue}/stranded?{days}")).json()["items"]
    assert {each["booking_id"]: each["reason"] for each in listed} == dict.fromkeys(made, why)
    assert _reason(await house.book(2, house.at(days=8))) == reason
    await house.assert_sound()


async def test_nobody_is_seated_at_a_combination_after_it_was_deleted(
    http: httpx.AsyncClient, staff: Owner, platform: Platform
) -> None:
    """Whoever was before stays there until staff decide, and is listed: nothing joins their tables now."""
    house = open_arena(http, staff, platform, tables=[("B", 1, 2), ("C", 1, 2)], joined=[("B", "C", 3, 4)])
    first, others = ([(4, house.at(hour, days=days)) for days in range(6)] for hour in (18, 21))
    delete = house.rebuild("DELETE", f"combinations/{house.combinations['B+C']}")
    answers, changed = await _rush(house, first, others, delete)

    made = [each.json()["booking"]["id"] for each in answers if each.status_code == _CREATED]
    assert {_reason(each) for each in answers if each.status_code != _CREATED} <= {"NO_TABLE_FOR_PARTY"}
    assert sorted(changed["stranded_booking_ids"]) == sorted(made)
    before, after = _around_last_change(house)
    assert sorted(before) == sorted(made)
    assert after == []
    assert _reason(await house.book(4, house.at(days=20))) == "NO_TABLE_FOR_PARTY"
    await house.assert_sound()


async def test_nobody_comes_in_above_a_limit_after_it_was_lowered(
    http: httpx.AsyncClient, staff: Owner, platform: Platform
) -> None:
    house = open_arena(http, staff, platform, tables=[(f"T{number}", 1, 2) for number in range(16)])
    rule = {"interval_minutes": 15, "max_parties": 16}
    made_rule = (await house.rebuild("POST", "pacing-rules", rule)).json()["rule"]
    lower = house.rebuild("PUT", f"pacing-rules/{made_rule['id']}", rule | {"max_parties": 6})
    answers, _ = await _rush(house, [(2, house.at())] * 6, [(2, house.at())] * 6, lower)

    made = [each.json()["booking"]["id"] for each in answers if each.status_code == _CREATED]
    assert {_reason(each) for each in answers if each.status_code != _CREATED} <= {"SLOT_PACED"}
    before, after = _around_last_change(house)
    assert sorted([*before, *after]) == sorted(made)
    assert len(made) == max(6, len(before))
    assert _reason(await house.book(2, house.at())) == "SLOT_PACED"
    await house.assert_sound(paced=False)


async def _rush(
    house: Arena, first: Sequence[Wish], others: Sequence[Wish], change: _Change
) -> tuple[list[httpx.Response], dict[str, Any]]:
    """The first have booked; of the others, on the same days, each is about to commit when the change comes.

    `days_held` makes sure of that: they have planned on the venue as it was, and wait for their days.
    """
    made = [await house.book(*wish) for wish in first]
    assert {each.status_code for each in made} == {_CREATED}
    async with days_held(house.books) as waiting:
        booking = [asyncio.create_task(house.book(*wish)) for wish in others]

        async def all_wait() -> bool:
            return await waiting() == len(others)

        await eventually(all_wait, timeout=_PATIENCE)
        changing = asyncio.create_task(_answer(change))

        async def it_came() -> bool:
            return changing.done() or await waiting() > len(others)

        await eventually(it_came, timeout=_PATIENCE)
    changed = await changing
    assert changed.is_success, changed.text
    answer: dict[str, Any] = changed.json()
    return [*made, *await asyncio.gather(*booking)], answer


async def _answer(change: _Change) -> httpx.Response:
    return await change


def _reason(answer: httpx.Response) -> str:
    return str(answer.json().get("reason", ""))


def _around_last_change(house: Arena) -> tuple[list[str], list[str]]:
    """Who was booked before the venue was changed for the last time, and who after: as it was committed."""
    before: list[str] = []
    after: list[str] = []
    for message in house.books.told():
        match message.DESCRIPTOR.name:
            case "VenueCapacityChanged" if getattr(message, "venue_id") == house.venue:  # noqa: B009
                before, after = before + after, []
            case "BookingConfirmed" if getattr(message, "booking").venue_id == house.venue:  # noqa: B009
                after.append(getattr(message, "booking").booking_id)  # noqa: B009
    return before, after
