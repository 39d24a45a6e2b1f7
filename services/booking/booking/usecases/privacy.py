"""Booking's part in requests about persons. It goes first: it alone knows which bookings a guest has had."""

from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain.numbers import names_of
from booking.domain.waitlist import EntryStatus
from booking.events import privacy as events
from booking.store import privacy as store
from booking.usecases import offers
from booking.usecases.offers import GUEST
from booking.usecases.retries import until_first
from booking.usecases.waitlist import WAITLIST_END
from servicekit import inbox, timers
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.privacy import Subject


@dataclass(frozen=True, slots=True)
class Known:
    """The bookings of a guest."""

    bookings: tuple[UUID, ...]
    to_come: tuple[UUID, ...]


async def list_bookings_of_guest(
    app: App, organization: UUID, *, email: str, phone: str, name: str = ""
) -> Known:
    """Every booking of whoever has the address, or the number by this name, and those that are not over."""
    async with app.db.begin(organization) as tx:
        guests = await store.find_guests(tx, email=email, phone=phone, name=name)
        bookings = await store.list_bookings(tx, guests)
        return Known(tuple(bookings), tuple(await store.list_to_come(tx, guests)))


async def list_names_of_number(app: App, organization: UUID, phone: str) -> list[tuple[str, int]]:
    """By which names the organization's bookings have the number, and how many by each; the most first."""
    async with app.db.begin(organization) as tx:
        return names_of(await store.count_by_name(tx, phone))


async def erase_guest(app: App, event: Event, request_id: UUID) -> None:
    """Forgets a guest: all their rows become nobody's, their links end, and they wait for nothing any more.

    A booking that is to come was made after the request was accepted, which refuses while there is one: it is
    new, and stays as it is.

    Raises:
        AlreadyHandled: it was done before.
        Busy: somebody changes the same day for too long.
        AppError: auth did not say whom it is about.
    """
    subject = await app.privacy.subject(event.tenant, request_id)

    async def attempt() -> None:
        async with app.db.begin(event.tenant) as tx:
            await inbox.claim(tx, event)
            found = await _find(tx, subject)
            await _leave_waitlists(tx, found)
            # Ending an offer ends the booking that was held for it: looked for after that.
            kept = set((await store.list_to_come(tx, found)).values())
            guests = [each for each in found if each not in kept]
            bookings = await store.list_bookings(tx, guests)
            rows = await store.anonymise_guests(tx, guests)
            await events.personal_data_erased(tx, request_id, user=None, bookings=bookings, rows=rows)

    await until_first(attempt)


async def forget_user(app: App, event: Event, request_id: UUID, user_id: UUID) -> None:
    """The account of a member is gone. Histories name members by their id alone, which is nobody's now.

    Raises:
        AlreadyHandled: it was done before.
    """
    async with app.db.begin_platform(reason="say that a user is forgotten") as tx:
        await inbox.claim(tx, event)
        await events.personal_data_erased(tx, request_id, user=user_id, bookings=(), rows={})


async def export_guest(app: App, event: Event, request_id: UUID) -> None:
    """Hands in everything that is kept of a guest. Handed in twice, the first counts.

    Raises:
        AlreadyHandled: it was done before.
        AppError: auth did not say whom it is about, or did not take it.
    """
    subject = await app.privacy.subject(event.tenant, request_id)
    async with app.db.begin(event.tenant) as tx:
        guests = await _find(tx, subject)
        bookings = await store.list_bookings(tx, guests)
        kept = await store.read_guests(tx, guests)
    await app.privacy.hand_in(event.tenant, request_id, kept)
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await events.personal_data_exported(tx, request_id, user=None, bookings=bookings)


async def export_user(app: App, event: Event, request_id: UUID, user_id: UUID) -> None:
    """Hands in what a member did here, in all organizations. Raises as `export_guest`."""
    async with app.db.begin_platform(reason="export what a user did") as tx:
        kept = await store.read_user(tx, user_id)
    await app.privacy.hand_in(None, request_id, kept)
    async with app.db.begin_platform(reason="say that a user is exported") as tx:
        await inbox.claim(tx, event)
        await events.personal_data_exported(tx, request_id, user=user_id, bookings=())


async def _find(tx: Transaction, subject: Subject) -> list[UUID]:
    return await store.find_guests(tx, email=subject.email, phone=subject.phone, name=subject.name)


async def _leave_waitlists(tx: Transaction, guests: list[UUID]) -> None:
    for entry_id in await store.list_waiting(tx, guests):
        locked = await offers.lock(tx, entry_id)
        if locked.entry.live:
            await timers.cancel(tx, WAITLIST_END, str(entry_id))
            await offers.end(tx, locked, EntryStatus.WITHDRAWN, GUEST)
