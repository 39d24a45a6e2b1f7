"""The rules, without any database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from booking.domain import availability, solver, texts
from booking.domain.bookings import (
    ActorKind,
    Booking,
    BookingNotCancellable,
    BookingNotMovable,
    CancelledBy,
    Guest,
    Status,
    Wish,
    new_token,
    token_hash,
)
from booking.domain.clock import LastStartOutsideShift, clock_time
from booking.domain.floor import Party
from booking.domain.hours import Hours
from booking.domain.occupancy import Allocation, Occupied
from booking.domain.offerings import DepositNotPayable, DepositRule, Offering
from booking.domain.placements import PlacementsUnread, Taken
from booking.domain.refusals import Refusal, SlotTooSoon
from booking.domain.shifts import Shift
from booking.domain.turns import TurnTime, TurnTimesNotRising
from booking.domain.venues import (
    Combination,
    PartyRangeUpsideDown,
    Resource,
    ResourceKind,
    UnknownCurrency,
    UnknownTimeZone,
    Venue,
    VenueNotFound,
    VenueRef,
)
from servicekit import ids
from servicekit.errors import AppError, InvalidRequest
from servicekit.money import Money

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
MONDAY = date(2027, 3, 8)


def shift(opens: str, last_start: str, closes: str, *weekdays: int) -> Shift:
    return Shift.add(
        UUID(int=0),
        offering_id=UUID(int=1),
        weekdays=weekdays or (1,),
        opens=opens,
        last_start=last_start,
        closes=closes,
    )


def dinner(deposit: DepositRule | None = None, **changes: int) -> Offering:
    return Offering.add(
        UUID(int=1),
        name="Dinner",
        turn_times=[TurnTime(2, 90), TurnTime(10, 150)],
        deposit=deposit,
        slot_minutes=changes.get("slot_minutes", 0),
        min_notice_minutes=changes.get("min_notice_minutes", 0),
        max_advance_days=changes.get("max_advance_days", 0),
        currency="EUR",
    )


def table(name: str, least: int, most: int) -> Resource:
    return Resource.add(
        ids.new(), name=name, kind=ResourceKind.TABLE, min_party=least, max_party=most, area_id=None
    )


def plan(*tables: Resource, combinations: tuple[Combination, ...] = (), **offering: int) -> availability.Plan:
    return availability.Plan.of(
        1,
        hours=Hours.of(ZoneInfo("Europe/Paris"), shifts=[shift("19:00", "20:00", "22:00", 1)]),
        resources=tables,
        combinations=combinations,
        offerings=[dinner(None, **offering)],
    )


EMPTY = Taken()


def reasons(
    of: availability.Plan, day: date, party_size: int, now: datetime = NOW, *, taken: Taken = EMPTY
) -> set[Refusal | None]:
    slots = availability.search(
        of,
        of.offerings.values(),
        day,
        party=Party(party_size),
        taken=taken,
        now=int(now.timestamp()),
    )
    return {slot.refusal for slot in slots}


def test_times_that_are_not_later_than_the_opening_are_after_midnight() -> None:
    friday = shift("19:00", "22:00", "00:30", 5)
    assert (friday.opens, friday.last_start, friday.closes) == (1140, 1320, 1470)
    late = shift("22:00", "01:00", "22:00", 5)
    assert (late.last_start, late.closes) == (1500, 2760)
    assert shift("12:00", "12:00", "24:00").closes == 1440


@pytest.mark.parametrize("times", [("19:00", "23:00", "22:00"), ("19:00", "22:00", "22:00")])
def test_the_last_start_is_before_the_closing(times: tuple[str, str, str]) -> None:
    with pytest.raises(LastStartOutsideShift) as refusal:
        shift(*times)
    assert refusal.value.violations[0].pointer == "/last_start"


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (shift("12:00", "13:00", "14:00", 1), shift("14:00", "15:00", "16:00", 1), False),
        (shift("12:00", "13:00", "14:01", 1), shift("14:00", "15:00", "16:00", 1), True),
        (shift("12:00", "13:00", "14:00", 1), shift("12:00", "13:00", "14:00", 2), False),
        (shift("22:00", "01:00", "02:00", 1), shift("01:00", "01:30", "03:00", 2), True),
        (shift("22:00", "01:00", "02:00", 7), shift("01:00", "01:30", "03:00", 1), True),
        (shift("22:00", "01:00", "02:00", 7), shift("02:00", "02:30", "03:00", 1), False),
        (shift("00:00", "23:00", "24:00", 1, 2, 3), shift("00:00", "23:00", "24:00", 4, 5), False),
    ],
)
def test_shifts_overlap_around_midnight_and_around_the_week(
    one: Shift, other: Shift, *, overlap: bool
) -> None:
    assert one.overlaps(other) is overlap
    assert other.overlaps(one) is overlap


def test_local_times_are_shown_as_they_were_typed_in() -> None:
    assert [clock_time(minutes) for minutes in (0, 1140, 1440, 1470)] == ["00:00", "19:00", "24:00", "00:30"]


@pytest.mark.parametrize(
    ("changes", "refused", "pointer"),
    [
        ({"time_zone": "Europe/Atlantis"}, UnknownTimeZone, "/time_zone"),
        ({"time_zone": "localtime"}, UnknownTimeZone, "/time_zone"),
        ({"time_zone": "../etc/passwd"}, UnknownTimeZone, "/time_zone"),
        ({"currency": "XYZ"}, UnknownCurrency, "/currency"),
        ({"name": " \t "}, InvalidRequest, "/name"),
        ({"name": "Chez\x00"}, InvalidRequest, "/name"),
        ({"address": "a\nb"}, InvalidRequest, "/address"),
    ],
)
def test_a_venue_is_refused_with_the_place_of_the_mistake(
    changes: dict[str, str], refused: type[AppError], pointer: str
) -> None:
    right = {
        "name": "Chez Paulette",
        "slug": "chez-paulette",
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "address": "",
    }
    Venue.open(UUID(int=1), **right, currencies={"EUR"})
    with pytest.raises(refused) as refusal:
        Venue.open(UUID(int=1), **(right | changes), currencies={"EUR"})
    assert refusal.value.violations[0].pointer == pointer


@pytest.mark.parametrize("text", ["", "Chez", "a--b", "-a", "a\x00b", "a/b", "ven_"])
def test_what_is_no_slug_names_no_venue(text: str) -> None:
    with pytest.raises(VenueNotFound):
        VenueRef.by_slug(text)


def test_notes_may_have_lines_but_no_control_characters() -> None:
    assert texts.several_lines("/notes", " a\nb ") == "a\nb"
    with pytest.raises(InvalidRequest):
        texts.several_lines("/notes", "a\x00b")


def test_a_table_takes_no_upside_down_party_range() -> None:
    with pytest.raises(PartyRangeUpsideDown):
        table("T1", 4, 2)


def test_a_combination_has_two_different_members_or_more() -> None:
    one = ids.new()
    for members in ([one], [one, one]):
        with pytest.raises(texts.Inconsistent):
            Combination.add(ids.new(), name="C", resource_ids=members, min_party=1, max_party=2)


def test_turn_times_rise_and_deposits_are_payable_in_the_venues_currency() -> None:
    rule = DepositRule(6, Money(1000, "EUR"), 24)
    assert dinner(rule).deposit_for(5) is None
    assert dinner(rule).deposit_for(6) == Money(6000, "EUR")
    assert [dinner().stay_minutes(size, MONDAY) for size in (1, 2, 3, 10, 11)] == [90, 90, 150, 150, None]
    for wrong in (Money(1000, "USD"), Money(0, "EUR"), Money(100_000_000_000, "EUR")):
        with pytest.raises(DepositNotPayable):
            dinner(replace(rule, per_person=wrong))
    with pytest.raises(TurnTimesNotRising):
        Offering.add(
            UUID(int=1),
            name="Dinner",
            turn_times=[TurnTime(4, 90), TurnTime(4, 120)],
            deposit=None,
            slot_minutes=0,
            min_notice_minutes=0,
            max_advance_days=0,
            currency="EUR",
        )


def test_each_refused_start_has_a_true_reason() -> None:
    small = plan(table("T1", 1, 2))
    assert reasons(small, MONDAY, 2) == {None}
    assert reasons(small, MONDAY, 3) == {Refusal.NO_TABLE_FOR_PARTY}
    assert reasons(small, MONDAY, 2, NOW + timedelta(days=30)) == {Refusal.NOTICE}
    assert reasons(small, MONDAY + timedelta(days=7 * 20), 2) == {Refusal.TOO_FAR_AHEAD}
    assert reasons(small, MONDAY + timedelta(days=1), 2) == set()
    assert reasons(plan(), MONDAY, 2) == {Refusal.NO_TABLE_FOR_PARTY}


def test_a_party_beyond_every_turn_time_has_no_table_however_large_the_table_is() -> None:
    assert reasons(plan(table("T1", 1, 50)), MONDAY, 11) == {Refusal.NO_TABLE_FOR_PARTY}


def test_notice_is_elapsed_time_up_to_the_second() -> None:
    short = plan(table("T1", 1, 2), min_notice_minutes=60)
    first = short.starts(short.offering(UUID(int=1)), MONDAY)[0]
    for second, refusal in ((0, None), (1, Refusal.NOTICE)):
        now = datetime.fromtimestamp(first - 3600 + second, UTC)
        assert (Refusal.NOTICE in reasons(short, MONDAY, 2, now)) is (refusal is Refusal.NOTICE)


def test_advance_is_counted_in_local_days() -> None:
    far = plan(table("T1", 1, 2), max_advance_days=7)
    just_monday = datetime(2027, 2, 28, 23, 0, tzinfo=UTC)  # 00:00 of 1 March in Paris
    assert reasons(far, MONDAY, 2, just_monday) == {None}
    assert reasons(far, MONDAY, 2, just_monday - timedelta(seconds=1)) == {Refusal.TOO_FAR_AHEAD}


def test_the_best_fit_wastes_no_table() -> None:
    tables = [table("T9", 1, 6), table("T3", 1, 4), table("T1", 1, 2), table("T2", 1, 2)]
    joined = Combination.add(
        ids.new(), name="A", resource_ids=[tables[2].id, tables[3].id], min_party=3, max_party=4
    )
    whole = plan(*tables, combinations=(joined,))
    offering = whole.offering(UUID(int=1))

    def names(party_size: int) -> list[str]:
        (demand,) = whole.demands(offering, Party(party_size), MONDAY)
        return [each.name for each in demand.candidates]

    assert names(2) == ["T1", "T2", "T3", "T9"]
    assert names(4) == ["T3", "T9", "A"]


def test_an_expired_hold_is_in_nobodys_way_but_must_be_cleared() -> None:
    one = table("T1", 1, 2)
    demands = plan(one).demands(dinner(), Party(2), MONDAY)
    gone = Allocation(one.id, 0, 100, UUID(int=7), live=False)
    choice = solver.choose(demands, 50, Occupied([gone]))
    assert choice is not None
    assert choice.evicted == {UUID(int=7)}
    later = solver.choose(demands, 100, Occupied([gone]))
    assert later is not None
    assert not later.evicted
    assert solver.choose(demands, 50, Occupied([gone._replace(live=True)])) is None


def test_a_hold_that_ran_out_takes_the_bookings_of_its_day_to_be_read() -> None:
    """A block that came after it has no row there yet; it comes with the bookings."""
    one = table("T1", 1, 2)
    gone = Allocation(one.id, 0, 100, UUID(int=7), live=False)
    with pytest.raises(PlacementsUnread):
        reasons(plan(one), MONDAY, 2, taken=Taken([gone], None))
    assert reasons(plan(one), MONDAY, 2, taken=Taken([gone])) == reasons(plan(one), MONDAY, 2)
    assert reasons(plan(one), MONDAY, 2, taken=Taken([], None)) == reasons(plan(one), MONDAY, 2)


def test_a_start_that_is_over_is_too_soon_even_where_no_shift_is() -> None:
    with pytest.raises(SlotTooSoon):
        availability.bookable_service_date(
            plan(), dinner(), start=1_000_000, party=Party(2), now=int(NOW.timestamp())
        )


def booking(**changes: object) -> Booking:
    guest = Guest.meet(ids.new(), name="Claire", email="claire@example.org", phone="", language="")
    wish = Wish.of(guest, offering_id=UUID(int=1), start=1_804_532_400, party_size=7, notes="")
    held = Booking.promise(
        ids.new(),
        wish,
        venue_id=ids.new(),
        time_zone="Europe/Paris",
        offering=dinner(DepositRule(6, Money(1000, "EUR"), 24)),
        service_date=MONDAY,
        end=1_804_541_400,
        resource_ids=(ids.new(),),
        hold_ttl=timedelta(minutes=15),
        now=NOW,
    )
    return replace(held, **changes)  # type: ignore[arg-type]


def test_a_hold_that_ran_out_reads_as_expired_before_anybody_wrote_it_down() -> None:
    held = booking()
    assert held.hold_expires_at is not None
    assert held.as_of(held.hold_expires_at - timedelta(microseconds=1)).status is Status.HELD
    assert held.as_of(held.hold_expires_at).status is Status.EXPIRED
    with pytest.raises(BookingNotCancellable):
        held.cancel(CancelledBy.GUEST, now=held.hold_expires_at)
    with pytest.raises(BookingNotMovable):
        held.refuse_unless_movable(held.hold_expires_at)


def test_a_guest_gets_the_deposit_back_until_the_hour_that_stood_when_booking() -> None:
    paid = booking().pay(now=NOW)
    assert paid.status is Status.CONFIRMED
    limit = paid.start - timedelta(hours=24)
    assert paid.refund_if_cancelled(CancelledBy.GUEST, now=limit) == Money(7000, "EUR")
    assert paid.refund_if_cancelled(CancelledBy.GUEST, now=limit + timedelta(seconds=1)) == Money(0, "EUR")
    assert paid.refund_if_cancelled(CancelledBy.VENUE, now=paid.start) == Money(7000, "EUR")
    assert booking().refund_if_cancelled(CancelledBy.VENUE, now=NOW) is None


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.EXPIRED])
def test_what_is_over_can_neither_be_moved_nor_cancelled(status: Status) -> None:
    over = booking(status=status)
    with pytest.raises(BookingNotMovable):
        over.move(over.start, over.end, over.service_date, now=NOW, by=ActorKind.GUEST)
    with pytest.raises(BookingNotCancellable):
        over.cancel(CancelledBy.VENUE, now=NOW)


def test_what_has_begun_can_neither_be_moved_nor_cancelled() -> None:
    begun = booking().pay(now=NOW)
    with pytest.raises(BookingNotMovable):
        begun.move(begun.start, begun.end, begun.service_date, now=begun.start, by=ActorKind.GUEST)
    with pytest.raises(BookingNotCancellable):
        begun.cancel(CancelledBy.VENUE, now=begun.start)


def test_links_hold_until_thirty_days_after_the_end() -> None:
    one = booking()
    assert one.token_holds(one.end + timedelta(days=30) - timedelta(seconds=1))
    assert not one.token_holds(one.end + timedelta(days=30))


def test_links_are_256_random_bits_and_kept_hashed() -> None:
    token = new_token()
    assert len(token) == 43
    assert len(token_hash(token)) == 32
    assert new_token() != token
