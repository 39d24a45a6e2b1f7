"""A paid deposit in every order of what else may happen: confirmed, or given back once, and never both."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import pytest

from booking.app import App
from booking.consumer import on_payment_succeeded
from booking.domain.bookings import Actor, ActorKind, Booking, BookingNotCancellable, CancelledBy, Status
from booking.domain.refusals import SlotTaken
from booking.store.days import lock_days
from booking.timers import TIMERS
from booking.usecases import bookings, changes
from booking.usecases.bookings import Made
from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from testkit import eventually, outbox, timers
from testkit.events import event_of
from testkit.waiting import waiting_for_locks

from .conftest import House, Payments, open_house

STEPS = ("runs out", "is called off", "is overtaken", "rings", "is told")
ENDS = (events_pb2.BookingCancelled, events_pb2.BookingExpired)
FIRST_DAY = 7
TELLERS = 3


class Evening:
    """A hold for the only table, whose deposit is paid at the provider. What happens next is up to a test."""

    def __init__(self, house: House, made: Made, start: int) -> None:
        self._house = house
        self._made = made
        self._start = start
        self._rival: Made | None = None
        self._told = self._paid()

    async def happens(self, step: str) -> None:
        """One step, twice."""
        steps: Mapping[str, Callable[[], Awaitable[object]]] = {
            "runs out": self._run_out,
            "is called off": self._cancel,
            "is overtaken": self._overtake,
            "is left alone again": self._leave,
            "rings": self._ring,
            "is told": self._tell,
        }
        for _ in range(2):
            await steps[step]()

    async def is_told_by_many_at_once(self) -> None:
        """By events that have all seen it unpaid, and now wait for their turn."""
        house, booking = self._house, self._made.booking
        async with house.app.db.begin(house.organization) as tx:
            await lock_days(tx, booking.venue_id, {booking.service_date})
            events = [self._paid() for _ in range(TELLERS)]
            telling = [asyncio.create_task(on_payment_succeeded(house.app, event)) for event in events]
            await eventually(self._all_wait)
        await asyncio.gather(*telling)

    async def booking(self) -> Booking:
        return await bookings.get_booking(self._house.app, self._house.organization, self._made.booking.id)

    async def given_back(self) -> list[int]:
        """What payment was told to give back, event by event."""
        return [
            event.refund_due.amount
            for event in await self._events()
            if isinstance(event, ENDS) and event.HasField("refund_due")
        ]

    async def versions(self) -> list[int]:
        return [event.booking.version for event in await self._events()]

    async def _events(self) -> list[events_pb2.BookingExpired]:
        said = await outbox.published(self._house.app.db)
        mine = ids.show("bkg", self._made.booking.id)
        about_bookings = [each for each in said if "booking" in each.DESCRIPTOR.fields_by_name]
        return [each for each in about_bookings if each.booking.booking_id == mine]  # type: ignore[attr-defined, misc]

    async def _all_wait(self) -> bool:
        return await waiting_for_locks(self._house.app.db) >= TELLERS

    def _paid(self) -> Event:
        message = payment_events.PaymentSucceeded(
            payment_id=ids.show("pay", ids.new()),
            booking_id=ids.show("bkg", self._made.booking.id),
            amount=values_pb2.Money(amount=6000, currency="EUR"),
        )
        return event_of(message, self._house.organization)

    async def _run_out(self) -> None:
        if (await self.booking()).status is Status.HELD:
            await self._house.run_out(self._made)

    async def _cancel(self) -> None:
        house = self._house
        with suppress(BookingNotCancellable):
            await changes.cancel_booking(
                house.app,
                house.organization,
                self._made.booking.id,
                by=CancelledBy.GUEST,
                actor=Actor(ActorKind.GUEST),
            )

    async def _overtake(self) -> None:
        with suppress(SlotTaken):
            self._rival = await self._house.book(2, self._start)

    async def _leave(self) -> None:
        assert self._rival is not None
        await changes.cancel_booking(
            self._house.app,
            self._house.organization,
            self._rival.booking.id,
            by=CancelledBy.GUEST,
            actor=Actor(ActorKind.GUEST),
        )

    async def _ring(self) -> None:
        for timer in await timers.scheduled(self._house.app.db):
            if timer.key == str(self._made.booking.id):
                await TIMERS[timer.kind](self._house.app, timer)

    async def _tell(self) -> None:
        with suppress(AlreadyHandled):
            await on_payment_succeeded(self._house.app, self._told)
        await on_payment_succeeded(self._house.app, self._paid())  # the same fact, told by another event


@pytest.fixture
async def small_house(app: App, payments: Payments) -> House:
    return await open_house(app, payments, tables=(("T1", 2, 8),), joined=())


async def an_evening(house: House, payments: Payments, *, days: int) -> Evening:
    start = house.start(days=days)
    made = await house.book(6, start)
    payments.paid.add(ids.show("bkg", made.booking.id))
    return Evening(house, made, start)


@pytest.mark.parametrize("first", STEPS)
async def test_money_confirms_or_goes_back_once_in_whatever_order_things_happen(
    first: str, small_house: House, payments: Payments
) -> None:
    others = [step for step in STEPS if step != first]
    for number, order in enumerate(itertools.permutations(others)):
        evening = await an_evening(small_house, payments, days=FIRST_DAY + number)
        for step in (first, *order, "is told"):
            await evening.happens(step)
        status = (await evening.booking()).status
        assert status in (Status.CONFIRMED, Status.CANCELLED, Status.EXPIRED), order
        assert await evening.given_back() == ([] if status is Status.CONFIRMED else [6000]), order
        versions = await evening.versions()
        assert versions == list(range(1, len(versions) + 1)), order
    assert await small_house.double_bookings() == 0


@pytest.mark.parametrize(
    ("order", "status"),
    [
        (("runs out", "is told"), Status.CONFIRMED),
        (("runs out", "rings"), Status.CONFIRMED),
        (("runs out", "is overtaken", "is told"), Status.EXPIRED),
        (("runs out", "is overtaken", "rings"), Status.EXPIRED),
        (("runs out", "is overtaken", "is left alone again", "is told"), Status.CONFIRMED),
        (("runs out", "is overtaken", "is left alone again", "rings"), Status.CONFIRMED),
        (("runs out", "is overtaken", "is told", "is left alone again", "rings"), Status.EXPIRED),
        (("is called off", "is told"), Status.CANCELLED),
        (("is called off", "rings"), Status.CANCELLED),
        (("is called off", "is overtaken", "is told", "rings"), Status.CANCELLED),
        (("is told", "runs out", "rings"), Status.CONFIRMED),
        (("is told", "is called off", "rings"), Status.CANCELLED),
        (
            ("runs out", "is called off", "is told"),
            Status.CONFIRMED,
        ),  # too late to call it off: it had expired
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
async def test_how_a_paid_booking_ends(
    order: tuple[str, ...], status: Status, small_house: House, payments: Payments
) -> None:
    evening = await an_evening(small_house, payments, days=FIRST_DAY)
    for step in order:
        await evening.happens(step)
    assert (await evening.booking()).status is status
    assert await evening.given_back() == ([] if status is Status.CONFIRMED else [6000])


@pytest.mark.parametrize(
    "before", [("is called off",), ("runs out", "is overtaken"), ("runs out",)], ids="-".join
)
async def test_many_who_tell_of_the_money_at_once_are_heard_once(
    before: tuple[str, ...], small_house: House, payments: Payments
) -> None:
    evening = await an_evening(small_house, payments, days=FIRST_DAY)
    for step in before:
        await evening.happens(step)
    await evening.is_told_by_many_at_once()
    status = (await evening.booking()).status
    assert await evening.given_back() == ([] if status is Status.CONFIRMED else [6000])
    assert await evening.versions() == sorted(set(await evening.versions()))
