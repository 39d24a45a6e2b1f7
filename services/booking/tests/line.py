"""People in line at a house, and what a test does with them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, Booking, CancelledBy, Guest
from booking.domain.waitlist import Ask, Entry, EntryStatus, Offer, Outcome
from booking.store.sweeps import WAITLIST_SWEEP
from booking.tables import ALLOCATIONS, BOOKINGS, WAITLIST_OFFERS
from booking.timers import TIMERS
from booking.usecases import changes, offers, sweeps, waitlist
from booking.usecases.offers import Accepted
from booking.usecases.waitlist import Seen
from servicekit import idempotency, ids
from testkit import outbox, timers

from .conftest import House, Payments, open_house

GUEST = Actor(ActorKind.GUEST)


async def small_house(app: App, payments: Payments) -> House:
    """One table for two and one for six, each taken at 19:00 in seven days by one booking."""
    return await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 3, 6)), joined=())


async def cancel(house: House, booking: Booking) -> None:
    """A guest calls a booking off."""
    await changes.cancel_booking(house.app, house.organization, booking.id, by=CancelledBy.GUEST, actor=GUEST)


def ask_of(
    house: House,
    name: str = "claire",
    party_size: int = 2,
    *,
    days: int = 7,
    flexible_days: int = 0,
    earliest: str = "19:00",
    latest: str = "19:00",
) -> Ask:
    """A wish for some days from now, by default for 19:00 only."""
    guest = Guest.meet(ids.new(), name=name, email=f"{name}@example.org", phone="", language="en")
    return Ask.of(
        guest,
        offering_id=house.offering.id,
        party_size=party_size,
        best_date=house.day(days),
        flexible_days=flexible_days,
        earliest=earliest,
        latest=latest,
        notes="",
    )


@dataclass
class Line:
    """The waitlist of a house, through the use cases."""

    house: House
    tokens: dict[str, str] = field(default_factory=dict)
    entries: dict[str, UUID] = field(default_factory=dict)

    async def join(self, ask: Ask, *, key: str | None = None, proof: str | None = None) -> Seen:
        """Puts a party in line, by the name of its guest, who shows the link that they had before."""
        proof = self.tokens.get(ask.guest.name, "") if proof is None else proof
        bound = idempotency.Key(key, f"{ask.party_size} {ask.best_date}".encode()) if key else None
        idempotency.bind(bound)
        try:
            seen, token = await waitlist.join_waitlist(self.house.app, self.house.ref, ask, proof=proof)
        finally:
            idempotency.bind(None)
        self.tokens[ask.guest.name], self.entries[ask.guest.name] = token, seen.entry.id
        return seen

    async def wait(self, name: str, party_size: int = 2, **how: object) -> Seen:
        """The same, for the wish of `ask_of`."""
        return await self.join(ask_of(self.house, name, party_size, **how))  # type: ignore[arg-type]

    async def sweep(self, app: App | None = None) -> None:
        """Lets every sweep that is scheduled run, as the loop would."""
        app = app or self.house.app
        for timer in await timers.scheduled(app.db, WAITLIST_SWEEP):
            await TIMERS[WAITLIST_SWEEP](app, timer)

    async def sweep_day(self, days: int = 7, *, app: App | None = None) -> int:
        """Sweeps a day once, and says how many offers that made."""
        house = self.house
        return await sweeps.sweep_day(app or house.app, house.organization, house.venue_id, house.day(days))

    async def see(self, name: str) -> Seen:
        """Somebody's entry as it stands."""
        return await waitlist.get_entry(self.house.app, self.house.organization, self.entries[name])

    async def status(self, name: str) -> EntryStatus:
        """Where somebody stands."""
        return (await self.see(name)).entry.status

    async def offered(self, name: str) -> Booking:
        """What is held for somebody."""
        held = (await self.see(name)).offered
        assert held is not None
        return held

    async def accept(self, name: str) -> Accepted:
        """Somebody says yes."""
        return await offers.accept_offer(self.house.app, self.house.organization, self.entries[name])

    async def decline(self, name: str, *, keep: bool = False) -> Entry:
        """Somebody says no."""
        house = self.house
        return await offers.decline_offer(house.app, house.organization, self.entries[name], keep=keep)

    async def leave(self, name: str, status: EntryStatus = EntryStatus.WITHDRAWN) -> Entry:
        """Somebody leaves, or is removed."""
        house = self.house
        return await waitlist.leave_waitlist(house.app, house.organization, self.entries[name], status)

    async def run_out(self, held: Booking) -> None:
        """Lets the time of an offer be over, for the database too, and rings its timer."""
        await self.pass_by(held)
        await self.house.ring(offers.WAITLIST_OFFER, held.id)

    async def pass_by(self, held: Booking) -> None:
        """Lets the time of an offer be over; nobody has noticed."""
        over = datetime.now(UTC) - timedelta(seconds=1)
        async with self.house.app.db.begin(self.house.organization) as tx:
            booking, allocation = BOOKINGS.c.id == held.id, ALLOCATIONS.c.booking_id == held.id
            await tx.execute(sa.update(BOOKINGS).where(booking).values(hold_expires_at=over))
            await tx.execute(sa.update(ALLOCATIONS).where(allocation).values(expires_at=over))

    async def pending(self) -> list[Offer]:
        """Every offer that waits for an answer."""
        query = sa.select(WAITLIST_OFFERS).where(WAITLIST_OFFERS.c.outcome == Outcome.PENDING.value)
        async with self.house.app.db.begin(self.house.organization) as tx:
            return [
                Offer(row.entry_id, row.booking_id, row.start_at, row.expires_at)
                for row in await tx.execute(query)
            ]

    async def told(self) -> list[str]:
        """The events about the waitlist so far."""
        names = [type(event).__name__ for event in await outbox.published(self.house.app.db)]
        return [name for name in names if name.startswith("Waitlist")]
