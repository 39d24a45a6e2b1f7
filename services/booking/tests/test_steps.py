"""The table of steps, without any database: where each leads, and what it is refused with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.domain.bookings import (
    ENDED,
    OCCUPYING,
    ActorKind,
    Booking,
    BookingNotCancellable,
    BookingNotDue,
    BookingNotMovable,
    BookingStateConflict,
    CancelledBy,
    Guest,
    Reason,
    Status,
    Step,
    destinations,
    refuse_unless_possible,
)
from servicekit.money import Money

START = datetime(2027, 3, 8, 19, tzinfo=UTC)
CONFLICTS = (BookingStateConflict, BookingNotMovable, BookingNotCancellable)


def booking(status: Status, *, deposit: bool = False) -> Booking:
    """A booking somewhere in its life."""
    expires = START + timedelta(hours=1) if status in (Status.REQUESTED, Status.HELD) else None
    return Booking(
        id=UUID(int=1),
        venue_id=UUID(int=2),
        time_zone="Europe/Paris",
        offering_id=UUID(int=3),
        guest=Guest(UUID(int=4), "Claire", "claire@example.org", "", "fr"),
        status=status,
        party_size=4,
        start=START,
        end=START + timedelta(hours=2),
        service_date=START.date(),
        resource_ids=(UUID(int=5),),
        notes="",
        deposit=Money(1000, "EUR") if deposit else None,
        free_cancellation_hours=24 if deposit else None,
        created_at=START - timedelta(days=1),
        hold_expires_at=expires,
        grace_minutes=30,
    )


def paid(of: Booking) -> Booking:
    """A deposit that came in time."""
    of.refuse_unless(Step.PAY, EARLY)
    return of.pay(now=EARLY)


EARLY, LATE = START - timedelta(hours=2), START + timedelta(minutes=40)


def mailed(of: Booking) -> Booking:
    """A mail sent again is no change; here it counts as one, like all other steps."""
    of.refuse_unless(Step.REMAIL, EARLY)
    return replace(of, version=of.version + 1)


TAKEN: dict[Step, Callable[[Booking], Booking]] = {
    Step.CONFIRM: lambda of: of.confirm(pay_by=START, now=EARLY),
    Step.DECLINE: lambda of: of.decline(Reason("full"), now=EARLY),
    Step.PAY: paid,
    Step.ACCEPT: lambda of: of.accept(pay_by=START, now=EARLY),
    Step.MOVE: lambda of: of.move(
        START + timedelta(hours=1), of.end, of.service_date, now=EARLY, by=ActorKind.GUEST
    ),
    Step.ASSIGN: lambda of: of.assign((UUID(int=6),), pinned=True, now=EARLY),
    Step.DELAY: lambda of: of.delay(20, now=EARLY),
    Step.ARRIVE: lambda of: of.arrive(now=LATE),
    Step.SEAT: lambda of: of.seat(now=LATE),
    Step.COMPLETE: lambda of: of.complete(now=LATE),
    Step.MISS: lambda of: of.miss(now=LATE),
    Step.CANCEL: lambda of: of.cancel(CancelledBy.GUEST, now=EARLY),
    Step.EXPIRE: lambda of: of.expire(),
    Step.REMAIL: mailed,
    Step.RESCUE: lambda of: replace(of.rescue((UUID(int=5),)), version=of.version + 1),
}


@pytest.mark.parametrize("deposit", [True, False])
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("step", Step)
def test_every_step_goes_where_the_table_says_or_is_refused(
    step: Step, status: Status, *, deposit: bool
) -> None:
    before = booking(status, deposit=deposit)
    allowed = destinations(step, status)
    if not allowed:
        with pytest.raises(CONFLICTS) as refused:
            TAKEN[step](before)
        assert refused.value.metadata == {"status": status.value, "step": step.value}
        return
    after = TAKEN[step](before)
    assert after.status in allowed
    assert after.version == before.version + 1
    assert (after.hold_expires_at is not None) == (after.status in (Status.REQUESTED, Status.HELD))


@given(st.sampled_from(Status), st.lists(st.sampled_from(Step), max_size=12))
def test_no_way_leads_out_of_an_end_and_only_two_lead_back_to_life(first: Status, steps: list[Step]) -> None:
    status = first
    for step in steps:
        following = destinations(step, status)
        if status in ENDED:
            assert following == frozenset()
        if status is Status.EXPIRED and following:
            assert step is Step.RESCUE
        if status is Status.NO_SHOW and following:
            assert step in (Step.ARRIVE, Step.SEAT)
        if not following:
            with pytest.raises(CONFLICTS):
                refuse_unless_possible(step, status)
            continue
        status = max(following)


def test_a_booking_occupies_something_exactly_while_it_is_promised_or_kept() -> None:
    for status in Status:
        seated, nowhere = booking(status), replace(booking(status), resource_ids=())
        assert seated.live == (status in OCCUPYING or status is Status.REQUESTED)
        assert nowhere.live == (status in OCCUPYING)


def test_a_guest_arrives_hours_ahead_at_most_and_never_after_the_end() -> None:
    confirmed = booking(Status.CONFIRMED)
    for now in (START - timedelta(hours=6, seconds=1), confirmed.end):
        with pytest.raises(BookingNotDue):
            confirmed.arrive(now=now)
        with pytest.raises(BookingNotDue):
            confirmed.seat(now=now)
    assert confirmed.arrive(now=START - timedelta(hours=6)).status is Status.ARRIVED


def test_nobody_is_missed_before_the_start() -> None:
    with pytest.raises(BookingNotDue):
        booking(Status.CONFIRMED).miss(now=START - timedelta(seconds=1))


def test_whoever_said_to_be_late_is_missed_later() -> None:
    confirmed = booking(Status.CONFIRMED)
    assert confirmed.missed_at == START + timedelta(minutes=30)
    assert confirmed.delay(25, now=START).missed_at == START + timedelta(minutes=55)
    assert replace(confirmed, grace_minutes=None).missed_at is None


def test_a_party_that_sits_needs_room_from_now_on() -> None:
    now = START + timedelta(minutes=50)
    assert booking(Status.SEATED).room_from(now) == now
    assert booking(Status.CONFIRMED).room_from(now) == START


def test_a_late_cancellation_costs_the_deposit_and_an_early_one_nothing() -> None:
    paid = replace(booking(Status.CONFIRMED, deposit=True), deposit_paid_at=START - timedelta(days=3))
    assert paid.free_until == START - timedelta(hours=24)
    assert paid.fee_if_cancelled(now=paid.free_until) == Money(0, "EUR")
    assert paid.fee_if_cancelled(now=paid.free_until + timedelta(seconds=1)) == Money(1000, "EUR")
    assert booking(Status.CONFIRMED).fee_if_cancelled(now=START) is None


@pytest.mark.parametrize(("percent", "kept"), [(None, 1000), (33, 330), (0, 0)])
def test_not_coming_costs_what_the_terms_say_as_long_as_the_guest_is_to_come(
    percent: int | None, kept: int
) -> None:
    before = START - timedelta(days=1)

    def fee(status: Status, *, deposit: bool = True, paid: bool = True) -> Money | None:
        made = replace(booking(status, deposit=deposit), no_show_percent=percent, hold_expires_at=None)
        return replace(made, deposit_paid_at=before if paid else None).fee_if_missed(now=before)

    assert fee(Status.CONFIRMED) == Money(kept, "EUR")
    assert fee(Status.HELD, paid=False) == fee(Status.REQUESTED, paid=False) == Money(kept, "EUR")
    assert fee(Status.CONFIRMED, paid=False) is None, "staff confirmed it without"
    assert fee(Status.CONFIRMED, deposit=False) is None
    over = set(Status) - {Status.CONFIRMED, Status.HELD, Status.REQUESTED}
    assert {fee(status) for status in over} == {None}
    ran_out = replace(booking(Status.HELD, deposit=True), hold_expires_at=before)
    assert ran_out.fee_if_missed(now=before) is None
