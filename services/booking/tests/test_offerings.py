"""Offerings that change and go: what is booked keeps its terms, and nobody is left with what is off sale."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from booking.app import App
from booking.consumer import on_payment_succeeded
from booking.domain.bookings import Booking, CancelledBy, Status
from booking.domain.offerings import (
    DepositNotPayable,
    DepositRule,
    Offering,
    OfferingInUse,
    OfferingNotFound,
)
from booking.domain.overrides import Override, Rule
from booking.domain.terms import RequestRule, Terms
from booking.domain.venues import NameTaken
from booking.store import venues as venue_store
from booking.usecases import (
    capacity,
    changes,
    hours,
    links,
    offerings,
    pacing,
    venues,
    visits,
    waitlist,
    walk_ins,
)
from booking.usecases.offerings import Pricing
from booking.usecases.pacing import Limits
from booking.usecases.walk_ins import WalkIn
from comptoir.booking.v1 import booking_pb2, events_pb2, venue_pb2
from comptoir.common.v1 import values_pb2
from servicekit import ids
from servicekit.errors import AppError, VersionMismatch
from servicekit.money import Money
from testkit import outbox
from testkit.callers import member
from testkit.edge import Edge
from testkit.paging import WHOLE
from testkit.waiting import eventually, waiting_for_locks

from .conftest import House, Payments, call, refusal
from .line import Line, ask_of, small_house
from .rooms import STAFF, book, change_visit, set_times
from .test_payments import paid

EUROS = Terms(price_per_person=Money(4200, "EUR"), policy="Be kind", grace_minutes=20, no_show_percent=50)
RULE = DepositRule(2, Money(1000, "EUR"), 24)


async def reprice(house: House, expected_version: int = 0, **changed: Any) -> Offering:
    """Changes some of what the offering is called and costs."""
    sold = house.offering
    pricing = replace(Pricing(sold.name, sold.deposit, sold.terms), **changed)
    return await offerings.update_terms(
        house.app, house.organization, house.ref, sold.id, pricing, expected_version=expected_version
    )


async def retire(house: House, expected_version: int = 0) -> None:
    await offerings.delete_offering(
        house.app, house.organization, house.ref, house.offering.id, expected_version=expected_version
    )


def promised(booking: Booking) -> tuple[object, ...]:
    return (
        booking.price,
        booking.deposit,
        booking.free_cancellation_hours,
        booking.policy,
        booking.grace_minutes,
        booking.no_show_percent,
        booking.no_show_fee,
    )


async def test_what_is_booked_keeps_the_terms_that_stood_and_who_books_now_has_the_new_ones(
    house: House,
) -> None:
    offered = await house.offer(EUROS, deposit=RULE)
    made = await offered.book(2)
    await on_payment_succeeded(house.app, paid(offered, made))
    before = await house.read(made.booking.id)
    assert promised(before) == (
        Money(8400, "EUR"), Money(2000, "EUR"), 24, "Be kind", 20, 50, Money(1000, "EUR"),
    )  # fmt: skip

    changed = await reprice(
        offered,
        name="Tasting",
        deposit=DepositRule(1, Money(5000, "EUR"), 72),
        terms=Terms(price_per_person=Money(9900, "EUR"), policy="No refunds", grace_minutes=None),
    )
    assert promised(await house.read(made.booking.id)) == promised(before)
    moved = await links.move_managed_booking(house.app, made.manage_token, changes.Move(house.start(20)))
    assert promised(moved) == promised(before)
    await house.begin(moved, minutes_ago=1)
    missed = await visits.miss(house.app, house.organization, moved.id, actor=STAFF)
    assert missed.no_show_fee == Money(1000, "EUR")
    (event,) = [e for e in await outbox.published(house.app.db) if isinstance(e, events_pb2.BookingNoShow)]
    assert event.fee.amount == 1000

    later = (await replace(offered, offering=changed).book(2, house.start(days=8))).booking
    assert (later.price, later.deposit, later.policy) == (
        Money(19800, "EUR"), Money(10000, "EUR"), "No refunds",
    )  # fmt: skip
    assert (later.grace_minutes, later.no_show_percent, later.free_cancellation_hours) == (None, None, 72)
    described = await links.describe_booking(
        house.app, house.organization, made.booking.id, issue_manage_token=False
    )
    assert described.offering_name == "Tasting"


async def test_who_asks_first_is_what_the_rule_says_now(house: House) -> None:
    made = (await house.book(2)).booking
    await reprice(house, terms=Terms(requests=RequestRule(2)))
    asked = (await house.book(2)).booking
    assert (asked.status, (await house.read(made.id)).status) == (Status.REQUESTED, Status.CONFIRMED)
    await reprice(house, terms=Terms())
    assert (await house.read(asked.id)).status is Status.REQUESTED


async def test_terms_are_replaced_on_the_version_that_was_read(house: House) -> None:
    assert house.offering.version == 1
    assert (await reprice(house, 1, name="Supper")).version == 2
    with pytest.raises(VersionMismatch):
        await reprice(house, 1, name="Dinner again")
    with pytest.raises(VersionMismatch):
        await retire(house, 1)
    await set_times(house, house.offering)
    assert (await change_visit(house, turn_times=house.offering.turn_times)).offering.version == 4
    (listed,) = (await venues.list_public_offerings(house.app, house.ref, WHOLE))[0]
    assert (listed.name, listed.version) == ("Supper", 4)
    assert await offerings.get_public_offering(house.app, house.ref, listed.id) == listed


async def test_two_who_change_terms_on_one_version_do_not_both_do_so(house: House) -> None:
    answers = await asyncio.gather(
        *(reprice(house, 1, name=f"Dinner {number}") for number in range(4)), return_exceptions=True
    )
    assert [type(each) for each in answers].count(VersionMismatch) == 3


async def test_terms_that_nobody_could_keep_are_refused(house: House) -> None:
    other = (await house.offer(Terms())).offering
    with pytest.raises(NameTaken):
        await reprice(house, name=other.name)
    with pytest.raises(DepositNotPayable):
        await reprice(house, deposit=DepositRule(2, Money(1000, "USD"), 24))
    with pytest.raises(AppError) as caught:
        await reprice(house, terms=Terms(price_per_person=Money(1000, "USD")))
    assert caught.value.violations[0].pointer == "/price_per_person/currency"
    with pytest.raises(OfferingNotFound):
        await offerings.update_terms(
            house.app, house.organization, house.ref, ids.new(), Pricing("Lunch", None, Terms())
        )


async def test_an_offering_goes_only_when_nobody_is_to_come_and_nobody_waits(
    app: App, payments: Payments
) -> None:
    house = await small_house(app, payments)
    line = Line(house)
    kept, gone = (await house.book(2)).booking, (await house.book(2, house.start(21))).booking
    await line.wait("anna")
    # An address alone is a stranger's entry: it is offered nothing, and keeps nothing.
    await waitlist.join_waitlist(app, house.ref, ask_of(house, "anna", 1))
    with pytest.raises(OfferingInUse) as caught:
        await retire(house)
    told = caught.value.metadata
    assert told["booking_ids"].split(",") == [ids.show("bkg", kept.id), ids.show("bkg", gone.id)]
    assert (told["bookings"], told["waiting"]) == ("2", "1")
    assert told["waitlist_entry_ids"] == ids.show("wle", (await line.see("anna")).entry.id)

    for each in (kept, gone):
        await changes.cancel_booking(app, house.organization, each.id, by=CancelledBy.VENUE, actor=STAFF)
    with pytest.raises(OfferingInUse) as caught:
        await retire(house)
    assert (caught.value.metadata["bookings"], caught.value.metadata["waiting"]) == ("0", "1")
    await line.leave("anna")
    await retire(house)
    with pytest.raises(OfferingNotFound):
        await retire(house)
    described = await links.describe_booking(app, house.organization, kept.id, issue_manage_token=False)
    assert described.offering_name == house.offering.name


async def test_what_is_off_sale_is_sold_in_no_way_and_its_name_is_free(house: House) -> None:
    app, organization, ref, sold = house.app, house.organization, house.ref, house.offering.id
    await pacing.create_rule(app, organization, ref, Limits(sold, 60, 10, None, None, None))
    await house.book(2, house.start(days=8))
    await retire_after_cancelling(house)
    assert (await venues.list_public_offerings(app, ref, WHOLE))[0] == []
    assert (await venues.list_shifts(app, organization, ref, WHOLE))[0] == []
    assert (await pacing.list_rules(app, organization, ref, WHOLE))[0] == []
    anyhow = Override(frozenset(Rule), "the owner's birthday")
    with pytest.raises(OfferingNotFound):
        await house.book(2)
    with pytest.raises(OfferingNotFound):
        await book(house, replace(house.wish(), override=anyhow), member(organization))
    with pytest.raises(OfferingNotFound):
        await walk_ins.seat_walk_in(app, organization, ref, WalkIn(house.wish()), actor=STAFF)
    with pytest.raises(OfferingNotFound):
        await pacing.create_rule(app, organization, ref, Limits(sold, 60, 10, None, None, None))
    with pytest.raises(OfferingNotFound):
        await venues.add_shift(
            app, organization, ref, offering_id=sold, weekdays=[1], opens="19:00", last_start="20:00",
            closes="22:00",
        )  # fmt: skip
    with pytest.raises(OfferingNotFound):
        await hours.create_exception(
            app, organization, ref, offering_id=sold, service_date=house.day(), windows=[], reason="", note=""
        )
    again = await venues.add_offering(
        app,
        organization,
        ref,
        name=house.offering.name,
        turn_times=house.offering.turn_times,
        deposit=None,
        slot_minutes=15,
        min_notice_minutes=0,
        max_advance_days=90,
    )
    assert [each.id for each in (await venues.list_public_offerings(app, ref, WHOLE))[0]] == [again.id]


async def retire_after_cancelling(house: House) -> None:
    """Takes the offering off sale when staff have called off everything that stood on it."""
    with pytest.raises(OfferingInUse) as caught:
        await retire(house)
    for each in caught.value.metadata["booking_ids"].split(","):
        booking_id = ids.parse("bkg", each, OfferingNotFound)
        await changes.cancel_booking(
            house.app, house.organization, booking_id, by=CancelledBy.VENUE, actor=STAFF
        )
    await retire(house)


async def test_who_sits_already_goes_on_sitting(house: House) -> None:
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=40)
    await visits.miss(house.app, house.organization, made.id, actor=STAFF)
    await retire(house)
    back = await visits.seat(house.app, house.organization, made.id, actor=STAFF)
    assert (back.status, await house.seats_of(made.id)) == (Status.SEATED, {"T1"})


async def test_money_that_comes_late_for_what_is_off_sale_goes_back(house: House) -> None:
    made = await house.book(6)
    await house.run_out(made)
    with pytest.raises(OfferingInUse):  # it may have been paid
        await retire(house)
    await house.ring("hold_expiry", made.booking.id)
    await retire(house)
    await on_payment_succeeded(house.app, paid(house, made))
    assert (await house.read(made.booking.id)).status is Status.EXPIRED
    assert (await house.told())[-1] == "Expired"


async def test_a_booking_that_is_made_while_an_offering_goes_is_had_or_named(house: House) -> None:
    async def one(number: int) -> object:
        return await house.book(2, house.start(days=7 + number))

    made, gone = [], None
    answers = await asyncio.gather(*map(one, range(6)), retire(house), return_exceptions=True)
    made, gone = [each for each in answers[:-1] if not isinstance(each, BaseException)], answers[-1]
    if gone is None:
        assert made == []
    else:
        assert isinstance(gone, OfferingInUse)
    refused = [each for each in answers[:-1] if isinstance(each, BaseException)]
    assert {type(each) for each in refused} <= {OfferingNotFound}


async def test_owners_change_terms_and_take_offerings_off_sale_by_message(edge: Edge, house: House) -> None:
    owner = member(house.organization)
    named = {"venue_id": ids.show("ven", house.venue_id), "offering_id": ids.show("off", house.offering.id)}
    request = venue_pb2.UpdateOfferingTermsRequest(
        **named,
        name="Tasting",
        deposit=venue_pb2.DepositRule(
            from_party=2, per_person=values_pb2.Money(amount=2500, currency="EUR"), free_cancellation_hours=48
        ),
        price_per_person=values_pb2.Money(amount=9900, currency="EUR"),
        policy="Be on time",
        request=venue_pb2.RequestRule(from_party=8, hold_capacity=True),
        no_show_by_staff=True,
        no_show_percent=30,
        expected_version=1,
    )
    told = (await call(edge, "VenueService/UpdateOfferingTerms", request, caller=owner)).offering
    assert (told.name, told.version, told.no_show_percent) == ("Tasting", 2, 30)
    assert (told.deposit, told.price_per_person, told.policy) == (
        request.deposit, request.price_per_person, "Be on time",
    )  # fmt: skip
    assert (told.request.from_party, told.request.answer_hours, told.no_show_by_staff) == (8, 24, True)
    assert len(told.turn_times) == len(house.offering.turn_times)
    question = venue_pb2.GetOfferingRequest(**named)
    assert (await call(edge, "VenueService/GetOffering", question)).offering == told
    stale = await refusal(edge, "VenueService/UpdateOfferingTerms", request, caller=owner)
    assert stale.reason == "VERSION_MISMATCH"
    await call(edge, "VenueService/DeleteOffering", venue_pb2.DeleteOfferingRequest(**named), caller=owner)
    listed = await call(
        edge, "VenueService/ListOfferings", venue_pb2.ListOfferingsRequest(venue_id=named["venue_id"])
    )
    assert list(listed.items) == []
    unread = await refusal(edge, "VenueService/GetOffering", question)
    assert unread.reason == "OFFERING_NOT_FOUND"
    searched = booking_pb2.SearchAvailabilityRequest(**named, date=house.day().isoformat(), party_size=2)
    gone = await refusal(edge, "AvailabilityService/SearchAvailability", searched)
    assert gone.reason == "OFFERING_NOT_FOUND"


async def test_nobody_joins_for_an_offering_that_goes_meanwhile(app: App, payments: Payments) -> None:
    house = await small_house(app, payments)
    await house.book(2)
    async with app.db.begin(house.organization) as tx:
        await capacity.begin_change(tx, house.ref)
        joining = asyncio.ensure_future(Line(house).wait("late"))
        await eventually(lambda: waiting_for_locks(app.db))
        await venue_store.retire_offering(tx, house.venue_id, house.offering.id)
    with pytest.raises(OfferingNotFound):
        await joining
