"""Offers to those who wait: real holds, to whom, and what becomes of each answer and of none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, BookingStateConflict, Status
from booking.domain.refusals import SlotTaken
from booking.domain.terms import RequestRule, Terms
from booking.domain.texts import Inconsistent
from booking.domain.waitlist import (
    EntryStatus,
    WaitlistEntryNotFound,
    WaitlistOfferGone,
    WaitlistStateConflict,
)
from booking.tables import SERVICE_DAYS
from booking.usecases import availability, links, sweeps
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import Unavailable
from testkit import outbox, timers

from .conftest import House, Payments
from .line import Line, cancel, small_house

_GUEST = Actor(ActorKind.GUEST)
_STAFF = Actor(ActorKind.MEMBER, ids.new())


@pytest.fixture
async def line(app: App, payments: Payments) -> Line:
    return Line(await small_house(app, payments))


async def bookable(house: House, party_size: int = 2) -> bool:
    """Whether 19:00 shows as bookable."""
    found = await availability.search_availability(
        house.app, house.ref, house.day(), party_size=party_size, offering_id=house.offering.id
    )
    (slot,) = [slot for slot in found.slots if slot.start == house.start()]
    return slot.refusal is None


async def test_room_that_appears_is_held_for_the_first_in_line_and_for_nobody_else(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await line.wait("ben")
    await line.sweep()
    assert await line.pending() == []
    await cancel(house, made.booking)
    assert await bookable(house)
    await line.sweep()
    held = await line.offered("anna")
    assert (held.status, held.party_size, held.deposit) == (Status.HELD, 2, None)
    assert held.guest.email == "anna@example.org"
    assert held.hold_expires_at is not None
    assert timedelta(minutes=14) < held.hold_expires_at - datetime.now(UTC) <= timedelta(minutes=15)
    assert await line.status("anna") is EntryStatus.OFFERED
    assert (await line.see("ben")).position == 1
    assert not await bookable(house)
    with pytest.raises(SlotTaken):
        await house.book()
    assert await house.history(held.id) == [("held", "engine")]
    assert [each for each in await line.told() if each == "WaitlistOffered"] == ["WaitlistOffered"]
    assert "BookingHeld" not in [type(each).__name__ for each in await outbox.published(house.app.db)]


async def test_a_sweep_that_runs_again_offers_nothing_again(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await line.wait("ben")
    await cancel(line.house, made.booking)
    assert [await line.sweep_day() for _ in range(3)] == [1, 0, 0]
    assert len(await line.pending()) == 1


async def test_an_offer_never_lasts_beyond_its_start(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await cancel(line.house, made.booking)
    patient = replace(line.house.app, offer_ttl=timedelta(days=30))
    assert await line.sweep_day(app=patient) == 1
    held = await line.offered("anna")
    assert held.hold_expires_at == held.start


async def test_an_accepted_offer_is_a_confirmed_booking_with_a_link_of_its_own(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await cancel(house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    accepted = await line.accept("anna")
    assert (accepted.booking.id, accepted.booking.status) == (held.id, Status.CONFIRMED)
    assert (accepted.booking.hold_expires_at, accepted.payment) == (None, None)
    assert (await links.get_managed_booking(house.app, accepted.manage_token)).booking.id == held.id
    seen = await line.see("anna")
    assert (seen.entry.status, seen.booking_id, seen.offered) == (EntryStatus.ACCEPTED, held.id, None)
    assert await house.seats_of(held.id) == {"T1"}
    assert await house.history(held.id) == [("held", "engine"), ("confirmed", "guest")]
    again = await line.accept("anna")
    assert again.booking == accepted.booking
    assert again.manage_token != accepted.manage_token
    assert [each.kind for each in await timers.scheduled(house.app.db) if each.key == str(held.id)] == [
        "no_show"
    ]


async def test_an_accepted_offer_with_a_deposit_is_held_until_it_is_paid(line: Line) -> None:
    house = line.house
    made = await house.book(6)
    await line.wait("anna", 6)
    await cancel(house, made.booking)
    house.payments.asked.clear()
    await line.sweep()
    held = await line.offered("anna")
    assert held.deposit is not None
    assert house.payments.asked == []
    accepted = await line.accept("anna")
    assert accepted.payment is not None
    assert house.payments.asked == [ids.show("bkg", held.id)]
    assert (accepted.booking.status, await line.status("anna")) == (Status.HELD, EntryStatus.ACCEPTED)
    told = [each for each in await outbox.published(house.app.db) if isinstance(each, events_pb2.BookingHeld)]
    assert [each.booking.version for each in told if each.booking.booking_id == ids.show("bkg", held.id)] == [
        2
    ]
    house.payments.paid.add(ids.show("bkg", held.id))
    await line.pass_by(accepted.booking)
    await house.ring("hold_expiry", held.id)
    assert (await house.read(held.id)).status is Status.CONFIRMED


async def test_when_payment_is_down_an_accepted_offer_stays_and_is_accepted_by_trying_again(
    line: Line,
) -> None:
    house = line.house
    made = await house.book(6)
    await line.wait("anna", 6)
    await cancel(house, made.booking)
    await line.sweep()
    house.payments.down = True
    with pytest.raises(Unavailable):
        await line.accept("anna")
    house.payments.down = False
    assert (await line.accept("anna")).payment is not None


async def test_a_declined_offer_goes_to_the_next_in_line(line: Line) -> None:
    made = await line.house.book()
    for name in ("anna", "ben", "carl"):
        await line.wait(name)
    await cancel(line.house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    assert (await line.decline("anna")).status is EntryStatus.DECLINED
    assert (await line.decline("anna")).status is EntryStatus.DECLINED
    assert (await line.house.read(held.id)).status is Status.EXPIRED
    await line.sweep()
    assert (await line.offered("ben")).id != held.id
    assert await line.status("carl") is EntryStatus.WAITING
    with pytest.raises(WaitlistOfferGone):
        await line.accept("anna")


async def test_an_answer_makes_plans_of_the_day_outdated(line: Line) -> None:
    """Whoever planned on the room of an offer, or around it, plans again."""
    house = line.house
    version = sa.select(SERVICE_DAYS.c.version).where(SERVICE_DAYS.c.service_date == house.day())
    for name, answer in (("anna", line.decline), ("ben", line.accept)):
        made = await house.book()
        await line.wait(name)
        await cancel(house, made.booking)
        await line.sweep()
        async with house.app.db.begin(house.organization) as tx:
            before = (await tx.execute(version)).scalar_one()
        await answer(name)
        async with house.app.db.begin(house.organization) as tx:
            assert (await tx.execute(version)).scalar_one() > before


async def test_whoever_declines_but_stays_waits_on_for_what_does_not_overlap_it(line: Line) -> None:
    house = line.house
    early, late = await house.book(), await house.book(2, house.start(21))
    await line.wait("anna", earliest="19:00", latest="22:00")
    await line.wait("ben")
    await cancel(house, early.booking)
    await line.sweep()
    first = await line.offered("anna")
    kept = await line.decline("anna", keep=True)
    assert kept.status is EntryStatus.WAITING
    assert (await line.see("anna")).position == 1
    await line.sweep()
    assert (await line.offered("ben")).start == first.start, "the same table half an hour later is no news"
    assert await line.status("anna") is EntryStatus.WAITING
    await cancel(house, late.booking)
    await line.sweep()
    other = await line.offered("anna")
    assert other.start >= first.end
    await line.decline("anna", keep=True)
    await line.wait("anna", earliest="19:00", latest="19:30")
    await line.decline("ben")
    await line.sweep()
    assert (await line.offered("anna")).start == first.start, "whoever asks anew may have it after all"
    assert "WaitlistOfferDeclined" in await line.told()


async def test_an_offer_that_nobody_answers_runs_out_and_goes_to_the_next_in_line(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await line.wait("ben")
    await cancel(line.house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    await line.house.ring("waitlist_offer", held.id)  # too early: it comes again
    assert await line.status("anna") is EntryStatus.OFFERED
    await line.pass_by(held)
    with pytest.raises(WaitlistOfferGone):
        await line.accept("anna")
    await line.house.ring("waitlist_offer", held.id)
    assert await line.status("anna") is EntryStatus.EXPIRED
    assert (await line.house.read(held.id)).status is Status.EXPIRED
    await line.sweep()
    assert await line.status("ben") is EntryStatus.OFFERED


async def test_an_offer_that_ran_out_is_in_nobodys_way_before_its_timer_rings(line: Line) -> None:
    made = await line.house.book()
    await line.wait("anna")
    await cancel(line.house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    await line.pass_by(held)
    booked = await line.house.book()
    assert await line.house.seats_of(booked.booking.id) == {"T1"}
    assert (await line.see("anna")).offered is None
    await line.house.ring("waitlist_offer", held.id)
    assert await line.status("anna") is EntryStatus.EXPIRED


async def test_a_party_is_never_split_and_who_does_not_fit_is_passed_over(line: Line) -> None:
    small, large = await line.house.book(2), await line.house.book(6)
    await line.wait("anna", 5)
    await line.wait("ben", 2)
    await cancel(line.house, small.booking)
    await line.sweep()
    assert (await line.status("anna"), await line.status("ben")) == (
        EntryStatus.WAITING,
        EntryStatus.OFFERED,
    )
    await cancel(line.house, large.booking)
    await line.sweep()
    assert (await line.offered("anna")).party_size == 5
    assert await line.house.seats_of((await line.offered("anna")).id) == {"T2"}


async def test_whoever_is_flexible_is_offered_another_day(line: Line) -> None:
    house = line.house
    booked = {days: await house.book(2, house.start(days=days)) for days in (6, 7, 8)}
    await line.wait("anna", flexible_days=1)
    await cancel(house, booked[8].booking)
    await line.sweep()
    assert (await line.offered("anna")).service_date == house.day(8)


async def test_a_party_that_has_to_ask_first_is_offered_a_place_by_staff_only(line: Line) -> None:
    house = await line.house.offer(Terms(requests=RequestRule(2)))
    made = await line.house.book()
    asking = Line(house)
    await asking.wait("anna")
    await cancel(house, made.booking)
    await asking.sweep()
    assert await asking.status("anna") is EntryStatus.WAITING
    entry = await sweeps.offer_place(
        house.app, house.organization, asking.entries["anna"], None, actor=_STAFF
    )
    assert entry.status is EntryStatus.OFFERED
    held = await asking.offered("anna")
    assert await house.history(held.id) == [("held", "member")]
    assert (await asking.accept("anna")).booking.status is Status.CONFIRMED


async def test_staff_offer_a_place_out_of_turn_where_there_is_room(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await line.wait("ben")

    async def offer(name: str, start: int | None = None) -> None:
        await sweeps.offer_place(house.app, house.organization, line.entries[name], start, actor=_STAFF)

    with pytest.raises(SlotTaken):
        await offer("ben")
    with pytest.raises(Inconsistent):
        await offer("ben", house.start(21))
    await cancel(house, made.booking)
    await offer("ben", house.start())
    assert (await line.status("anna"), await line.status("ben")) == (
        EntryStatus.WAITING,
        EntryStatus.OFFERED,
    )
    with pytest.raises(WaitlistStateConflict):
        await offer("ben")
    with pytest.raises(WaitlistEntryNotFound):
        await sweeps.offer_place(house.app, house.organization, ids.new(), None, actor=_STAFF)


async def test_what_is_only_offered_is_not_paid_by_a_link_of_its_booking(line: Line) -> None:
    """Whoever writes to the guest may have made a link before the offer is accepted: it was moved, say."""
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await cancel(house, made.booking)
    await line.sweep()
    held = await line.offered("anna")
    described = await links.describe_booking(house.app, house.organization, held.id, issue_manage_token=True)
    with pytest.raises(BookingStateConflict):
        await links.pay_managed_deposit(house.app, described.manage_token)
