"""What may be set aside, without any database."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from booking.domain import exceptions
from booking.domain.availability import Plan
from booking.domain.floor import Party
from booking.domain.hours import Hours
from booking.domain.offerings import Offering
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import NoTableForParty, SlotClosed, SlotTooFarAhead, SlotTooSoon
from booking.domain.shifts import Shift
from booking.domain.turns import TurnTime
from booking.domain.venues import Combination, Resource, ResourceKind, ResourceNotFound
from servicekit.errors import AppError, InvalidRequest

MONDAY = date(2027, 3, 8)
DINNER = Offering(UUID(int=1), "Dinner", (TurnTime(2, 90), TurnTime(6, 150)), None, 30, 120, 30)
TABLES = [Resource(UUID(int=10 + seats), f"T{seats}", ResourceKind.TABLE, 2, seats) for seats in (2, 4, 6)]
BOTH = Combination(UUID(int=9), "T2+T4", (TABLES[0].id, TABLES[1].id), 5, 8)
PLAN = Plan.of(
    1,
    hours=Hours.of(
        ZoneInfo("Europe/Paris"),
        shifts=[Shift(UUID(int=2), DINNER.id, (1,), 19 * 60, 25 * 60, 26 * 60)],
    ),
    resources=TABLES,
    combinations=[BOTH],
    offerings=[DINNER],
)


def at(day: int, hour: int, minute: int = 0) -> int:
    """An instant of March 2027, Paris being an hour ahead of UTC, in epoch seconds."""
    return int(datetime(2027, 3, day, hour - 1, minute, tzinfo=UTC).timestamp())


def stay(start: int, *waived: Rule, party: int = 2, now: int = at(1, 12)) -> tuple[date, int]:
    return exceptions.bookable_stay(
        PLAN, DINNER, start=start, party=Party(party), now=now, waived=frozenset(waived)
    )


@pytest.mark.parametrize(
    ("rule", "start", "party", "now", "refusal"),
    [
        (Rule.CLOSED, at(8, 15), 2, at(1, 12), SlotClosed),
        (Rule.CLOSED, at(8, 19, 7), 2, at(1, 12), SlotClosed),
        (Rule.CLOSED, at(9, 20), 2, at(1, 12), SlotClosed),
        (Rule.NOTICE, at(8, 19), 2, at(8, 18), SlotTooSoon),
        (Rule.ADVANCE, at(8, 19), 2, at(1, 12) - 86_400 * 30, SlotTooFarAhead),
        (Rule.PARTY_SIZE, at(8, 19), 7, at(1, 12), NoTableForParty),
        (Rule.PARTY_SIZE, at(8, 19), 1, at(1, 12), NoTableForParty),
    ],
)
def test_a_rule_counts_until_it_is_set_aside(
    rule: Rule, start: int, party: int, now: int, refusal: type[AppError]
) -> None:
    for waived in ((), set(Rule) - {rule}):
        with pytest.raises(refusal):
            stay(start, *waived, party=party, now=now)
    service_date, end = stay(start, rule, party=party, now=now)
    assert service_date.day == (9 if start == at(9, 20) else 8)
    assert end - start == (90 if party <= 2 else 150) * 60


def test_with_nothing_set_aside_everything_is_as_for_everybody() -> None:
    assert stay(at(8, 19)) == (MONDAY, at(8, 20, 30))


def test_what_is_over_stays_over() -> None:
    with pytest.raises(SlotTooSoon):
        stay(at(8, 19), *Rule, now=at(8, 19) + 1)


def test_after_midnight_an_exception_belongs_to_the_evening_that_still_runs() -> None:
    assert stay(at(9, 1, 10), Rule.CLOSED)[0] == MONDAY
    assert stay(at(9, 12), Rule.CLOSED)[0] == date(2027, 3, 9)


def test_a_party_of_any_size_goes_where_the_seats_are_and_else_to_the_largest() -> None:
    def names(party: int, *waived: Rule) -> list[str]:
        asking = Party(party, any_size=Rule.PARTY_SIZE in waived)
        return [each.name for demand in PLAN.demands(DINNER, asking, MONDAY) for each in demand.candidates]

    assert names(1) == []
    assert names(1, Rule.PARTY_SIZE) == ["T2", "T4", "T6", "T2+T4"]
    assert names(7, Rule.PARTY_SIZE) == ["T2+T4"]
    assert names(20, Rule.PARTY_SIZE)[0] == "T2+T4"


def test_tables_that_staff_push_together_have_the_seats_of_all_and_of_their_combination() -> None:
    two, four, six = (each.id for each in TABLES)
    assert exceptions.seating_of(PLAN, [two, four], 8).resource_ids == (two, four)
    assert exceptions.seating_of(PLAN, [four, six], 10).max_party == 10
    with pytest.raises(NoTableForParty):
        exceptions.seating_of(PLAN, [four, six], 11)
    assert exceptions.seating_of(PLAN, [two], 11, any_size=True).resource_ids == (two,)
    with pytest.raises(ResourceNotFound):
        exceptions.seating_of(PLAN, [UUID(int=77)], 1)


def test_an_exception_needs_a_reason() -> None:
    with pytest.raises(InvalidRequest):
        Override.of([Rule.NOTICE], " ")
