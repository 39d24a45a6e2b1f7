"""The overview on a real database, against hand-made days and against a brute-force oracle on random ones."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.domain.figures import Overview, VenueNotFound
from analytics.usecases import get_overview
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from testkit.events import event_of

from . import oracle
from .conftest import EVERY_DAY, Counter, House, at, paid, refunded

DAYS = [
    ("Europe/Paris", date(2027, 6, 15)),
    ("Europe/Paris", date(2027, 3, 28)),
    ("Europe/Paris", date(2027, 10, 31)),
    ("America/Santiago", date(2027, 9, 5)),
    ("America/Santiago", date(2027, 4, 3)),
    ("America/Havana", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("Asia/Kathmandu", date(2027, 1, 1)),
    ("Pacific/Apia", date(2011, 12, 30)),
]
TABLES = [ids.new() for _ in range(4)]
CLOCKS = ["00:00", "01:30", "02:00", "02:15", "02:30", "03:00", "12:00", "19:00", "23:30"]
LIVES: list[list[type[Message]]] = [
    [events_pb2.BookingHeld],
    [events_pb2.BookingConfirmed],
    [events_pb2.BookingHeld, events_pb2.BookingExpired],
    [events_pb2.BookingHeld, events_pb2.BookingCancelled],
    [events_pb2.BookingConfirmed, events_pb2.BookingMoved, events_pb2.BookingMoved],
    [events_pb2.BookingHeld, events_pb2.BookingConfirmed, events_pb2.BookingCancelled],
    [events_pb2.BookingConfirmed, events_pb2.BookingMoved, events_pb2.BookingCancelled],
]


def _figures(overview: Overview) -> dict[str, int]:
    service, activity = overview.service, overview.activity
    return {
        "bookings": service.bookings,
        "covers": service.covers,
        "occupancy": service.occupancy,
        "cancellations": service.cancellations,
        "cancellation_rate": service.cancellation_rate,
        "made": activity.bookings,
        "covers_made": activity.covers,
        "called_off": activity.cancellations,
        "deposits": activity.deposits.amount,
        "refunds": activity.refunds.amount,
    }


def _moments(data: st.DataObject, day: date, count: int) -> list[datetime]:
    """Instants on the day, the one before and the one after, in order."""
    midnight = datetime.combine(day, time(), UTC)
    seconds = st.integers(-30 * 3600, 54 * 3600)
    drawn = data.draw(st.lists(seconds, min_size=count, max_size=count, unique=True))
    return [midnight + timedelta(seconds=each) for each in sorted(drawn)]


def _capacities(data: st.DataObject, house: House, day: date) -> list[oracle.Fact]:
    clocks = st.tuples(st.just(EVERY_DAY), st.sampled_from(CLOCKS), st.sampled_from([*CLOCKS, "24:00"]))
    facts: list[oracle.Fact] = []
    for version, moment in enumerate(_moments(data, day, data.draw(st.integers(0, 3))), start=1):
        seats = data.draw(st.dictionaries(st.sampled_from(TABLES), st.integers(1, 8), min_size=1))
        shifts = data.draw(st.lists(clocks, max_size=3))
        facts.append((house.equipped(version, seats, *shifts), moment))
    return facts


def _life(data: st.DataObject, house: House, day: date, booking: UUID) -> list[oracle.Fact]:
    kinds = data.draw(st.sampled_from(LIVES))
    facts: list[oracle.Fact] = []
    midnight = datetime.combine(day, time(), UTC)
    for version, moment in enumerate(_moments(data, day, len(kinds)), start=1):
        start = midnight + timedelta(minutes=15 * data.draw(st.integers(-48, 144)))
        message = house.booking(
            kinds[version - 1],
            booking,
            version=version,
            start=start,
            end=start + timedelta(minutes=data.draw(st.integers(1, 400))),
            day=day + timedelta(days=data.draw(st.sampled_from([0, 0, 0, 1, -1]))),
            party=data.draw(st.integers(1, 9)),
            resources=tuple(data.draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=3))),
        )
        facts.append((message, moment))
    return facts


def _money(data: st.DataObject, day: date, booking: UUID) -> list[oracle.Fact]:
    currency = data.draw(st.sampled_from(["EUR", "EUR", "EUR", "JPY"]))
    heights = sorted(data.draw(st.sets(st.integers(1, 5_000), max_size=3)))
    moments, payment = _moments(data, day, 1 + len(heights)), ids.new()
    parts = [refunded(payment, booking, height, currency) for height in heights]
    return list(zip([paid(payment, booking, 5_000, currency), *parts], moments, strict=True))


def _history(data: st.DataObject, house: House, zone: str, day: date) -> list[oracle.Fact]:
    """Everything that happened at a venue, at its neighbour, and to a payment for a booking of nobody's."""
    neighbour = House(house.organization)
    facts: list[oracle.Fact] = [(house.opened(zone), _moments(data, day, 1)[0])]
    facts += _capacities(data, house, day)
    for where in data.draw(st.lists(st.sampled_from([house, house, house, neighbour]), max_size=6)):
        booking = ids.new()
        facts += _life(data, where, day, booking)
        if data.draw(st.booleans()):
            facts += _money(data, day, booking)
    if data.draw(st.booleans()):
        facts += _money(data, day, ids.new())
    return facts


@settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_any_order_with_repetitions_gives_what_brute_force_gives(
    counter: Counter, data: st.DataObject
) -> None:
    house = House()
    zone, day = data.draw(st.sampled_from(DAYS))
    facts = _history(data, house, zone, day)
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=4))
    for message, moment in data.draw(st.permutations(repeated)):
        await counter.tell(house, message, moment)
    overview = await counter.overview(house, day)
    assert _figures(overview) == oracle.figures(facts, house.venue, zone, day)
    assert overview.as_of == max(moment for _, moment in facts)


async def _dinner(counter: Counter, house: House, *, seats: int = 4) -> UUID:
    """A venue in Paris with one table, open from 19:00 to 23:00 every day since long ago."""
    table = ids.new()
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    equipped = house.equipped(1, {table: seats}, (EVERY_DAY, "19:00", "23:00"))
    await counter.tell(house, equipped, at("2027-01-01 12:01"))
    return table


def _confirmed(house: House, start: str, end: str, table: UUID, *, day: date | None = None) -> Message:
    return house.booking(
        events_pb2.BookingConfirmed,
        ids.new(),
        version=1,
        start=at(start),
        end=at(end),
        day=day,
        resources=(table,),
    )


async def test_occupancy_counts_the_seats_of_the_table_and_only_open_time(
    counter: Counter, house: House
) -> None:
    table = await _dinner(counter, house)
    await counter.tell(
        house, _confirmed(house, "2027-01-05 21:00", "2027-01-05 23:30", table), at("2027-01-02 09:00")
    )
    await counter.tell(
        house, _confirmed(house, "2027-01-05 17:00", "2027-01-05 18:30", table), at("2027-01-02 09:00")
    )
    overview = await counter.overview(house, date(2027, 1, 5))
    assert (overview.service.covers, overview.service.occupancy) == (4, 2_500 + 1_250)


async def test_occupancy_is_never_more_than_everything(counter: Counter, house: House) -> None:
    table = await _dinner(counter, house)
    for _ in range(2):
        booking = _confirmed(house, "2027-01-05 18:00", "2027-01-05 22:00", table)
        await counter.tell(house, booking, at("2027-01-02 09:00"))
    assert (await counter.overview(house, date(2027, 1, 5))).service.occupancy == 10_000


async def test_a_new_table_does_not_change_the_days_before_it(counter: Counter, house: House) -> None:
    table = await _dinner(counter, house)
    for day in ("2027-01-05", "2027-01-08"):
        booking = _confirmed(house, f"{day} 18:00", f"{day} 22:00", table)
        await counter.tell(house, booking, at("2027-01-02 09:00"))
    larger = house.equipped(2, {table: 4, ids.new(): 4}, (EVERY_DAY, "19:00", "23:00"))
    await counter.tell(house, larger, at("2027-01-07 09:00"))
    assert (await counter.overview(house, date(2027, 1, 5))).service.occupancy == 10_000
    assert (await counter.overview(house, date(2027, 1, 8))).service.occupancy == 5_000


async def test_a_party_after_midnight_belongs_to_the_evening_before(counter: Counter, house: House) -> None:
    table = ids.new()
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    late = house.equipped(1, {table: 4}, (EVERY_DAY, "20:00", "04:00"))
    await counter.tell(house, late, at("2027-01-01 12:01"))
    friday = date(2027, 10, 29)
    booking = _confirmed(house, "2027-10-29 23:00", "2027-10-30 02:00", table, day=friday)
    await counter.tell(house, booking, at("2027-10-29 22:30"))
    evening = await counter.overview(house, friday)
    assert (evening.service.bookings, evening.service.occupancy) == (1, 3_750)
    saturday = await counter.overview(house, friday + timedelta(days=1))
    assert (saturday.service.bookings, saturday.activity.bookings) == (0, 1)


async def test_the_two_date_axes_are_never_mixed(counter: Counter, house: House) -> None:
    table = await _dinner(counter, house)
    booking = _confirmed(house, "2027-02-14 19:00", "2027-02-14 21:00", table)
    await counter.tell(house, booking, at("2027-01-31 23:30"))
    made, served = date(2027, 2, 1), date(2027, 2, 14)
    on_made, on_served = await counter.overview(house, made), await counter.overview(house, served)
    assert (on_made.activity.bookings, on_made.service.bookings) == (1, 0)
    assert (on_served.activity.bookings, on_served.service.bookings) == (0, 1)


async def test_a_second_part_of_a_refund_leaves_the_day_of_the_first_alone(
    counter: Counter, house: House
) -> None:
    table = await _dinner(counter, house)
    booking, payment = ids.new(), ids.new()
    made = house.booking(
        events_pb2.BookingConfirmed,
        booking,
        version=1,
        start=at("2027-02-14 19:00"),
        end=at("2027-02-14 21:00"),
        resources=(table,),
    )
    await counter.tell(house, made, at("2027-02-01 09:00"))
    for day, in_all in (("2027-02-02", 1_000), ("2027-02-03", 2_500)):
        await counter.tell(house, refunded(payment, booking, in_all), at(f"{day} 09:00"))
    amounts = [
        (await counter.overview(house, date(2027, 2, day))).activity.refunds.amount for day in (1, 2, 3, 4)
    ]
    assert amounts == [0, 1_000, 1_500, 0]


async def test_money_of_another_currency_or_venue_is_not_added(counter: Counter, house: House) -> None:
    table, neighbour = await _dinner(counter, house), House(house.organization)
    for where, currency in ((house, "EUR"), (house, "JPY"), (neighbour, "EUR")):
        booking, payment = ids.new(), ids.new()
        made = where.booking(
            events_pb2.BookingConfirmed,
            booking,
            version=1,
            start=at("2027-02-14 19:00"),
            end=at("2027-02-14 21:00"),
            resources=(table,),
        )
        await counter.tell(where, made, at("2027-02-01 09:00"))
        await counter.tell(where, paid(payment, booking, 3_000, currency), at("2027-02-01 09:01"))
        await counter.tell(where, refunded(payment, booking, 1_000, currency), at("2027-02-01 09:02"))
    activity = (await counter.overview(house, date(2027, 2, 1))).activity
    assert (activity.deposits.amount, activity.refunds.amount) == (3_000, 1_000)


async def test_a_venue_without_capacity_has_no_occupancy(counter: Counter, house: House) -> None:
    await counter.tell(house, house.opened(), at("2027-01-01 12:00"))
    overview = await counter.overview(house, date(2027, 1, 5))
    assert not any(_figures(overview).values())
    assert overview.as_of == at("2027-01-01 12:00")


async def test_today_is_the_venue_s_own_today(counter: Counter) -> None:
    east, west = House(), House()
    await counter.tell(east, east.opened("Pacific/Kiritimati"), at("2027-01-01 12:00"))
    await counter.tell(west, west.opened("Pacific/Pago_Pago"), at("2027-01-01 12:00"))
    for house, hours in ((east, 14), (west, -11)):
        before = (datetime.now(UTC) + timedelta(hours=hours)).date()
        today = (await _today(counter, house)).day
        assert before <= today <= (datetime.now(UTC) + timedelta(hours=hours)).date()


async def _today(counter: Counter, house: House) -> Overview:
    return await get_overview(counter.app, house.organization, house.venue, day=None)


async def test_another_organization_has_neither_the_venue_nor_its_facts(
    counter: Counter, house: House
) -> None:
    table = await _dinner(counter, house)
    await counter.tell(
        house, _confirmed(house, "2027-01-05 18:00", "2027-01-05 22:00", table), at("2027-01-02 09:00")
    )
    stranger = House(venue=house.venue)
    with pytest.raises(VenueNotFound):
        await counter.overview(stranger, date(2027, 1, 5))
    await counter.deliver(event_of(stranger.opened(), stranger.organization))
    assert not any(_figures(await counter.overview(stranger, date(2027, 1, 5))).values())
