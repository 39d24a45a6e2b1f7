"""Booking again and again: all in one transaction, behind everybody else who changes those days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain.bookings import Actor, Booking, Guest, Wish
from booking.domain.calendar import LocalTimeAmbiguous, LocalTimeMissing
from booking.domain.offerings import Offering
from booking.domain.recurrence import Recurrence
from booking.domain.refusals import REFUSED_AS, SlotTaken
from booking.domain.series import (
    Conflict,
    Occurrence,
    Schedule,
    Series,
    SeriesNeedsDeposit,
    SeriesNotFound,
    conflicts,
)
from booking.domain.venues import VenueRef
from booking.events import series as events
from booking.store import bookings as booking_store
from booking.store import commits
from booking.store import days as day_store
from booking.store import series as store
from booking.store.days import Days, Lost
from booking.store.guests import insert_guest
from booking.usecases import holds
from booking.usecases.directory import Place, find_own_venue
from booking.usecases.drafts import draft_booking, window_of_day_of, window_of_stay
from booking.usecases.retries import until_first
from servicekit import idempotency, ids, outbox, timers
from servicekit.database import Transaction
from servicekit.errors import AppError
from servicekit.paging import Page

CONFLICTING: tuple[type[AppError], ...] = (*REFUSED_AS.values(), LocalTimeMissing, LocalTimeAmbiguous)
"""Refusals of a single occurrence; every other one is of the whole."""
Wishes: TypeAlias = Mapping[date, Wish]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be booked again and again."""

    offering_id: UUID
    rule: str
    """An RRULE of RFC 5545."""
    first: datetime
    """The first start, as the venue's clocks show it."""
    party_size: int
    guest: Guest
    notes: str
    excluded: tuple[date, ...] = ()
    added: tuple[date, ...] = ()
    area_id: UUID | None = None
    """Only there."""
    attributes: frozenset[str] = frozenset()
    """What everything that seats the party must have."""
    skip: bool = False
    """Whether what cannot be had is left out, instead of refusing all of it."""


@dataclass(frozen=True, slots=True)
class View:
    """A series and what became of each occurrence, by day."""

    series: Series
    occurrences: Sequence[Occurrence]
    conflicts: Sequence[Conflict] = ()
    """What a change could not change."""


async def create_series(app: App, organization: UUID, ref: VenueRef, order: Order, *, actor: Actor) -> View:
    """Books every occurrence, or, when some cannot be had, none of them, or the others.

    One transaction. The same series again for the same Idempotency-Key.

    Raises:
        VenueNotFound, OfferingNotFound: there is none.
        RecurrenceNotSupported, RecurrenceUnbounded, RecurrenceTooLong, RecurrenceStartsOffRule,
            RecurrenceEmpty: bookings do not repeat like this.
        SeriesNeedsDeposit: such a party would have to pay ahead.
        SeriesConflicts: not all of it can be had; or nothing, where it may be left out.
        Busy: too many others change the same days.
    """
    return await until_first(lambda: _create(app, organization, ref, order, actor))


async def get_series(app: App, organization: UUID, series_id: UUID) -> View:
    """A series as it stands. Raises SeriesNotFound."""
    async with app.db.begin(organization) as tx:
        return await see(tx, series_id)


async def list_series(app: App, organization: UUID, ref: VenueRef, *, page: Page) -> tuple[list[Series], str]:
    """A page of a venue's series, oldest first, and the token of the next one. Raises VenueNotFound."""
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        found = await store.list_series(tx, venue.id, page)
    more, found = len(found) > page.size, found[: page.size]
    return found, page.next_token((str(found[-1].id),)) if more else ""


async def see(tx: Transaction, series_id: UUID, conflicting: Sequence[Conflict] = ()) -> View:
    """A series with its occurrences, unlocked. Raises SeriesNotFound."""
    series = await store.get_series(tx, series_id)
    if series is None:
        raise SeriesNotFound
    return View(series, await list_occurrences(tx, series_id), conflicting)


async def list_occurrences(tx: Transaction, series_id: UUID) -> list[Occurrence]:
    """What became of each occurrence, by day, as things stand now."""
    booked = [
        Occurrence(each.series_date, each.as_of(tx.now))
        for each in await booking_store.list_of_series(tx, series_id)
        if each.series_date is not None
    ]
    skipped = [Occurrence(each.date, None, each.reason) for each in await store.list_skips(tx, series_id)]
    return sorted([*booked, *skipped], key=lambda each: each.date)


async def _create(app: App, organization: UUID, ref: VenueRef, order: Order, actor: Actor) -> View:
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        series = _begin(order, venue.id, venue.time_zone, tx.now)
        earlier = await idempotency.claim(tx, idempotency.key(), series.id)
        if earlier:
            return await see(tx, earlier)
        wishes, conflicting = _wishes(series)
        days = await _read_first(app, tx, series, wishes)
        _refuse_deposit(days.plan.offering(order.offering_id), order.party_size)
        booked, refused = await _book(app, tx, days, series, wishes, actor=actor)
        conflicting += refused
        if conflicting and (not booked or not order.skip):
            raise conflicts(conflicting)
        await insert_guest(tx, series.guest, now=series.created_at)
        await store.insert_series(tx, series)
        await store.insert_skips(tx, series.id, conflicting)
        await store.attach(tx, booked)
        await events.series_created(tx, series, booked)
        tx.after_commit += [outbox.nudge, timers.nudge]
        return await see(tx, series.id)


def _begin(order: Order, venue_id: UUID, time_zone: str, now: datetime) -> Series:
    rule = Recurrence.parse(order.rule, first=order.first, zone=ZoneInfo(time_zone))
    return Series(
        id=ids.new(),
        venue_id=venue_id,
        time_zone=time_zone,
        offering_id=order.offering_id,
        guest=order.guest,
        schedule=Schedule.plan(rule, order.first, excluded=order.excluded, added=order.added),
        party_size=order.party_size,
        notes=order.notes,
        created_at=now,
        area_id=order.area_id,
        attributes=order.attributes,
    )


def _wishes(series: Series) -> tuple[Wishes, list[Conflict]]:
    """What each occurrence asks for, by time; and those whose local time is none on their day."""
    wishes: dict[date, Wish] = {}
    conflicting: list[Conflict] = []
    for day in series.schedule.dates():
        try:
            start = series.start(day)
        except (LocalTimeMissing, LocalTimeAmbiguous) as refusal:
            conflicting.append(Conflict(day, refusal.reason))
            continue
        wishes[day] = Wish.of(
            replace(series.guest, id=ids.new()),
            offering_id=series.offering_id,
            start=start,
            party_size=series.party_size,
            notes=series.notes,
            area_id=series.area_id,
            attributes=series.attributes,
        )
    return wishes, conflicting


async def _read_first(app: App, tx: Transaction, series: Series, wishes: Wishes) -> Days:
    """What the first wish is planned on, for the plan of the venue. Raises SeriesConflicts without wishes."""
    first = next(iter(wishes.values()), None)
    if first is None:
        raise conflicts(_wishes(series)[1])
    window = window_of_stay(None, first)
    return await day_store.read_days_in(tx, app.plans, series.venue_id, window)


async def _book(
    app: App, tx: Transaction, seen: Days, series: Series, wishes: Wishes, *, actor: Actor
) -> tuple[list[Booking], list[Conflict]]:
    """Books what can be had: locks all service days first, in order of time, and then plans one by one.

    Raises:
        Lost: the venue has changed since `seen`, or somebody changed what is moved or evicted.
    """
    plan, offering = seen.plan, seen.plan.offering(series.offering_id)
    dates = {day: plan.service_date(offering, wish.start) for day, wish in wishes.items()}
    await day_store.lock_days(tx, series.venue_id, _known(dates.values()))
    booked: list[Booking] = []
    refused: list[Conflict] = []
    for day, wish in wishes.items():
        service_date = dates[day]
        try:
            window = (
                window_of_day_of(plan, wish, service_date) if service_date else window_of_stay(plan, wish)
            )
            days = await day_store.read_days_in(tx, app.plans, series.venue_id, window)
            if days.plan is not plan:
                raise Lost
            booked.append(await _book_one(app, tx, days, series, wish, day=day, actor=actor))
        except CONFLICTING as refusal:
            refused.append(Conflict(day, refusal.reason))
    return booked, refused


async def _book_one(
    app: App, tx: Transaction, days: Days, series: Series, wish: Wish, *, day: date, actor: Actor
) -> Booking:
    """Books one occurrence, whose day is locked. Raises its refusal; then nothing was written."""
    assert tx.organization is not None  # noqa: S101
    place = Place(tx.organization, series.venue_id)
    planned = draft_booking(app, place, wish, actor, days, reseat=True, part=(series.id, day))
    if planned is None:
        raise SlotTaken
    draft, _, choice = planned  # the secret of its first link is thrown away: each mail brings one
    if choice:
        await holds.make_room(tx, choice, now=days.now)
    await commits.commit_locked_booking(tx, draft, days, key=None)
    return draft.booking


def _refuse_deposit(offering: Offering, party_size: int) -> None:
    if offering.deposit_for(party_size):
        raise SeriesNeedsDeposit


def _known(dates: Iterable[date | None]) -> set[date]:
    return {each for each in dates if each is not None}
