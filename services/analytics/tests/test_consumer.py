"""Every handler: delivered twice, from a rebuilt topic, too late, and before what it refers to."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.message import Message

from analytics.consumer import HANDLERS
from analytics.domain.figures import Overview, VenueNotFound
from comptoir.booking.v1 import events_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.errors import Internal
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from servicekit.topics import followed_by
from testkit.events import event_of

from .conftest import EVERY_DAY, Counter, House, at, paid, refunded

DAY = date(2027, 5, 20)
START = at("2027-05-20 17:00")
TABLE, BIG_TABLE = ids.new(), ids.new()

FACTS = [kind for kind in HANDLERS if not kind.__name__.startswith("PersonalData")]
"""All but requests about persons, which are no facts and change no figure: see test_privacy."""


def _story(house: House) -> list[Event]:
    """Every kind of fact at least once, each with its own effect on the figures of DAY."""
    kept, gone, lost = ids.new(), ids.new(), ids.new()
    deposit, other_deposit = ids.new(), ids.new()

    def happens(
        kind: type[Message], booking: UUID, version: int, *, hours: int = 2, party: int = 2
    ) -> Message:
        return house.booking(
            kind,
            booking,
            version=version,
            start=START,
            end=START + timedelta(hours=hours),
            party=party,
            resources=(TABLE,) if party == 2 else (TABLE, BIG_TABLE),
        )

    dinner = (EVERY_DAY, "19:00", "23:00")
    messages = [
        house.opened("Europe/London", "GBP"),
        house.opened("Europe/Paris", "EUR"),
        house.equipped(1, {TABLE: 2}, dinner),
        house.equipped(2, {TABLE: 2, BIG_TABLE: 6}, dinner),
        happens(events_pb2.BookingHeld, kept, 1),
        happens(events_pb2.BookingConfirmed, kept, 2),
        happens(events_pb2.BookingMoved, kept, 3, hours=3, party=7),
        happens(events_pb2.BookingConfirmed, gone, 1),
        happens(events_pb2.BookingCancelled, gone, 2),
        happens(events_pb2.BookingHeld, lost, 1),
        happens(events_pb2.BookingExpired, lost, 2),
        paid(deposit, kept, 7_000),
        paid(other_deposit, gone, 2_000),
        refunded(other_deposit, gone, 1_500),
        refunded(other_deposit, gone, 2_000),
    ]
    noon = at("2027-05-20 10:00")
    return [
        event_of(message, house.organization, time=noon + timedelta(minutes=minute))
        for minute, message in enumerate(messages)
    ]


def _figures(overview: Overview) -> tuple[object, ...]:
    service, activity = overview.service, overview.activity
    return (
        overview.time_zone,
        (service.bookings, service.covers, service.occupancy),
        (service.cancellations, service.cancellation_rate),
        (activity.bookings, activity.covers, activity.cancellations),
        (activity.deposits.amount, activity.refunds.amount, activity.refunds.currency),
        overview.as_of,
    )


def _expected(story: list[Event]) -> tuple[object, ...]:
    """One party of seven at both tables for three of four hours; one cancelled of two."""
    newest: datetime = story[-1].time
    return ("Europe/Paris", (1, 7, 7_500), (1, 5_000), (2, 9, 1), (9_000, 2_000, "EUR"), newest)


async def test_the_story_adds_up(counter: Counter, house: House) -> None:
    story = _story(house)
    await counter.deliver(*story)
    assert _figures(await counter.overview(house, DAY)) == _expected(story)


def test_every_event_of_the_followed_topics_that_exists_is_in_the_story(house: House) -> None:
    assert {type(event.message) for event in _story(house)} == set(FACTS)
    assert {kind.DESCRIPTOR.file.package for kind in HANDLERS} == set(followed_by("analytics"))


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
async def test_a_fact_delivered_twice_counts_once(
    counter: Counter, house: House, kind: type[Message]
) -> None:
    story = _story(house)
    await counter.deliver(*story)
    for event in [event for event in story if isinstance(event.message, kind)]:
        with pytest.raises(AlreadyHandled):
            await counter.deliver(event)
    assert _figures(await counter.overview(house, DAY)) == _expected(story)


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
async def test_a_fact_from_a_rebuilt_topic_counts_once(
    counter: Counter, house: House, kind: type[Message]
) -> None:
    story = _story(house)
    await counter.deliver(*story)
    again = [
        event_of(event.message, house.organization, time=event.time)
        for event in story
        if isinstance(event.message, kind)
    ]
    await counter.deliver(*again)
    assert _figures(await counter.overview(house, DAY)) == _expected(story)


@pytest.mark.parametrize("early", [True, False], ids=["too early", "too late"])
@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
async def test_a_fact_out_of_order_counts_the_same(
    counter: Counter,
    house: House,
    kind: type[Message],
    early: bool,  # noqa: FBT001
) -> None:
    story = _story(house)
    moved = [event for event in reversed(story) if isinstance(event.message, kind)]
    others = [event for event in story if event not in moved]
    shuffled = [*moved, *others] if early else [*others, *moved]
    assert shuffled != story
    await counter.deliver(*shuffled)
    assert _figures(await counter.overview(house, DAY)) == _expected(story)


async def test_facts_are_kept_until_their_venue_is_known(counter: Counter, house: House) -> None:
    story = _story(house)
    await counter.deliver(*story[2:])
    with pytest.raises(VenueNotFound):
        await counter.overview(house, DAY)
    await counter.deliver(*story[:2])
    assert _figures(await counter.overview(house, DAY)) == _expected(story)


async def test_money_is_counted_once_its_booking_is_known(counter: Counter, house: House) -> None:
    story = _story(house)
    money = (payment_events.PaymentSucceeded, payment_events.PaymentRefunded)
    await counter.deliver(*(event for event in story if isinstance(event.message, money)), *story[:2])
    before = await counter.overview(house, DAY)
    assert (before.activity.deposits.amount, before.activity.refunds.amount) == (0, 0)
    await counter.deliver(*(event for event in story[2:] if not isinstance(event.message, money)))
    assert _figures(await counter.overview(house, DAY)) == _expected(story)


async def test_a_fact_with_a_malformed_id_leaves_nothing(counter: Counter, house: House) -> None:
    message = house.opened()
    assert isinstance(message, events_pb2.VenueChanged)
    message.venue.id = "ven_1"
    with pytest.raises(Internal):
        await counter.tell(house, message, START)
    with pytest.raises(VenueNotFound):
        await counter.overview(house, DAY)
