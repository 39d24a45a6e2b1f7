"""Prices from before each person's was kept: the migration tells them from what was booked and changed."""

from importlib.util import module_from_spec, spec_from_file_location

import sqlalchemy as sa

from booking.domain.terms import Terms
from booking.tables import BOOKINGS
from booking.usecases import changes
from booking.usecases.changes import Move
from servicekit.money import Money
from testkit.databases import migrations_of

from .conftest import House
from .rooms import STAFF


def statement() -> str:
    path = migrations_of("booking") / "versions" / "0022_price_per_person.py"
    spec = spec_from_file_location("price_per_person", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    fill: str = module.FILL
    return fill


async def test_who_was_resized_at_a_price_of_the_party_pays_for_each_who_comes(house: House) -> None:
    offered = await house.offer(Terms(price_per_person=Money(4200, "EUR")))
    plain, grown = (await offered.book(2)).booking, (await offered.book(2, house.start(21))).booking
    free = (await house.book(2, house.start(days=8))).booking
    for size in (4, 3):
        grown = await changes.move_booking(
            house.app, house.organization, grown.id, Move(party_size=size), actor=STAFF
        )
    # As the program before this one left them.
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(
            sa.update(BOOKINGS)
            .where(BOOKINGS.c.price_currency.is_not(None))
            .values(price_per_person=None, price_amount=8400)
        )
        await tx.execute(sa.text(statement()))
    assert [(await house.read(each.id)).price for each in (plain, grown, free)] == [
        Money(8400, "EUR"),
        Money(12600, "EUR"),
        None,
    ]


async def test_a_price_that_the_program_before_wrote_is_read_as_one_of_each(house: House) -> None:
    offered = await house.offer(Terms(price_per_person=Money(4200, "EUR")))
    made = (await offered.book(2)).booking
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).values(price_per_person=None))
    assert (await house.read(made.id)).price_per_person == Money(4200, "EUR")
