"""Changing and cancelling series: one occurrence, the following, or all of them, in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID

from booking.app import App
from booking.domain import texts
from booking.domain.availability import Plan
from booking.domain.bookings import (
    NO_REASON,
    Actor,
    Booking,
    BookingNotCancellable,
    CancelledBy,
    ChangeKind,
    Reason,
    Status,
    Step,
)
from booking.domain.series import (
    Conflict,
    Occurrence,
    Scope,
    Series,
    SeriesNeedsDeposit,
    SeriesNotFound,
    SeriesOver,
    conflicts,
)
from booking.events import series as events
from booking.store import bookings as booking_store
from booking.store import days as day_store
from booking.store import series as store
from booking.store.days import Lost
from booking.usecases import changes, seating
from booking.usecases.changes import Move
from booking.usecases.retries import until_first
from booking.usecases.series import CONFLICTING, View, list_occurrences, see
from servicekit import ids, outbox, timers
from servicekit.database import Transaction


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a series is meant."""

    scope: Scope
    day: date | None = None
    """The day of the occurrence that is meant, or from which on; not looked at for all of them."""
    expected_version: int = 0


@dataclass(frozen=True, slots=True)
class Revision:
    """What is to become of a part; None and 0 leave things as they are."""

    at: time | None = None
    party_size: int = 0
    notes: str | None = None
    skip: bool = False
    """Whether an occurrence that cannot be changed stays as it is, instead of refusing all of it."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A booking that is to change, and when it is to start (epoch seconds)."""

    day: date
    booking: Booking
    start: int


async def change_series(
    app: App, organization: UUID, series_id: UUID, part: Part, revision: Revision, *, actor: Actor
) -> View:
    """Changes a part of a series: all of it or nothing, or as much as can be had. Price and deposit stay.

    Answers the series that has the changed occurrences: where some before them stay, a new one.

    Raises:
        SeriesNotFound, OccurrenceNotFound, SeriesOver: there is none, or nothing of it is to come.
        Inconsistent: nothing is to be changed.
        BookingNotMovable: the one occurrence that is meant has begun, or is called off.
        VersionMismatch: it has changed since.
        SeriesNeedsDeposit: the party becomes one that would have to pay ahead.
        SeriesConflicts: not all of it can be had; or nothing, where it may stay.
        Busy: too many others change the same days.
    """
    if revision.at is None and not revision.party_size and revision.notes is None:
        texts.refuse("/local_time", "must be given, or party_size, or notes")
    return await until_first(lambda: _change(app, organization, series_id, part, revision, actor=actor))


async def cancel_series(
    app: App, organization: UUID, series_id: UUID, part: Part, *, actor: Actor, reason: Reason = NO_REASON
) -> View:
    """Calls a part of a series off for the venue, and frees what it occupied.

    Raises:
        SeriesNotFound, OccurrenceNotFound, SeriesOver: there is none, or nothing of it is to come.
        BookingNotCancellable: the one occurrence that is meant has begun.
        VersionMismatch: it has changed since.
        Busy: too many others change the same days.
    """
    return await until_first(lambda: _cancel(app, organization, series_id, part, actor=actor, reason=reason))


async def _change(
    app: App, organization: UUID, series_id: UUID, part: Part, revision: Revision, *, actor: Actor
) -> View:
    async with app.db.begin(organization) as tx:
        series, occurrences, picked = await _pick(tx, series_id, part)
        targets, conflicting = _targets(series, picked, part, revision, tx.now)
        if not targets and not conflicting:
            raise SeriesOver
        plan = await _read_plan(app, tx, targets)
        if plan and part.scope is not Scope.THIS:
            _refuse_deposit(plan, series, revision)
        days = await _lock(tx, series, picked, part, _service_dates(plan, targets))
        changed, refused = await _revise(app, tx, targets, revision, locked=days, actor=actor)
        conflicting += refused
        if conflicting and (not revision.skip or not changed):
            raise conflicts(conflicting)
        tx.after_commit += [outbox.nudge, timers.nudge]
        if part.scope is Scope.THIS:
            return await see(tx, series.id)
        series = await _rewrite(tx, series, occurrences, picked[0].date, revision, changed=changed)
        return await see(tx, series.id, sorted(conflicting, key=lambda each: each.date))


async def _cancel(
    app: App, organization: UUID, series_id: UUID, part: Part, *, actor: Actor, reason: Reason
) -> View:
    async with app.db.begin(organization) as tx:
        series, _, picked = await _pick(tx, series_id, part)
        if part.scope is Scope.THIS:
            if picked[0].booking and picked[0].booking.status is Status.CANCELLED:
                return await see(tx, series.id)
            if picked[0].booking and not picked[0].booking.follows(Step.CANCEL, tx.now):
                raise BookingNotCancellable
        await _lock(tx, series, picked, part, set())
        cancelled = [
            await changes.cancel_locked(tx, each.booking, by=CancelledBy.VENUE, actor=actor, reason=reason)
            for each in picked
            if each.booking and each.booking.follows(Step.CANCEL, tx.now)
        ]
        tx.after_commit += [outbox.nudge, timers.nudge]
        if part.scope is not Scope.THIS:
            day = picked[0].date
            ended = series.end(day)
            await store.save_series(tx, ended)
            await events.series_ended(tx, ended, day, cancelled)
        return await see(tx, series.id)


async def _pick(
    tx: Transaction, series_id: UUID, part: Part
) -> tuple[Series, list[Occurrence], list[Occurrence]]:
    """The series, which nobody else changes from now on, its occurrences, and those that are meant."""
    series = await store.lock_series(tx, series_id)
    if series is None:
        raise SeriesNotFound
    series.refuse_unless_version(part.expected_version)
    occurrences = await list_occurrences(tx, series_id)
    return series, occurrences, series.pick(occurrences, part.scope, part.day, now=tx.now)


def _targets(
    series: Series, picked: Iterable[Occurrence], part: Part, revision: Revision, now: datetime
) -> tuple[list[_Target], list[Conflict]]:
    """What is to change, by day; and what has no such local time on its day. Raises BookingNotMovable."""
    found: list[_Target] = []
    conflicting: list[Conflict] = []
    for each in picked:
        booking = each.booking
        if booking is None:
            continue
        if part.scope is Scope.THIS:
            booking.refuse_unless_movable(now)
        elif not series.changes_with(each, now=now):
            continue
        try:
            at = revision.at
            start = series.start(each.date, at) if at else int(booking.start.timestamp())
        except CONFLICTING as refusal:
            conflicting.append(Conflict(each.date, refusal.reason))
            continue
        found.append(_Target(each.date, booking, start))
    return found, conflicting


async def _read_plan(app: App, tx: Transaction, targets: Sequence[_Target]) -> Plan | None:
    """The plan of the venue. None when nothing can be changed anyway."""
    for target in targets[:1]:
        return (await seating.read(app, tx, target.booking, target.start)).plan
    return None


def _service_dates(plan: Plan | None, targets: Iterable[_Target]) -> set[date]:
    """The service days that bookings would be on, where they can be."""
    if plan is None:
        return set()
    dates = (plan.service_date(plan.offering_of(each.booking.offering_id), each.start) for each in targets)
    return {each for each in dates if each is not None}


def _refuse_deposit(plan: Plan, series: Series, revision: Revision) -> None:
    """Raises SeriesNeedsDeposit for a party that grows into one that pays ahead."""
    grows = revision.party_size > series.party_size
    if grows and plan.offering(series.offering_id).deposit_for(revision.party_size):
        raise SeriesNeedsDeposit


async def _lock(
    tx: Transaction, series: Series, picked: Sequence[Occurrence], part: Part, more: set[date]
) -> set[date]:
    """Locks the service days that bookings have or will have, by time, and then the bookings, by id.

    Raises:
        Lost: one of them was changed meanwhile.
    """
    seen = {each.booking.id: each.booking for each in picked if each.booking}
    days = {each.service_date for each in seen.values()} | more
    await day_store.lock_days(tx, series.venue_id, days)
    if part.scope is Scope.THIS:
        found = [await booking_store.lock_booking(tx, each) for each in seen]
    else:
        found = [*await booking_store.lock_of_series(tx, series.id, picked[0].date)]
    if {each.id: each.as_of(tx.now) for each in found if each} != seen:
        raise Lost
    return days


async def _revise(
    app: App,
    tx: Transaction,
    targets: Iterable[_Target],
    revision: Revision,
    *,
    locked: set[date],
    actor: Actor,
) -> tuple[list[Booking], list[Conflict]]:
    """Changes locked bookings one by one. What is refused stays as it is."""
    changed: list[Booking] = []
    refused: list[Conflict] = []
    move = Move(party_size=revision.party_size)
    for target in targets:
        try:
            booking = await changes.move_locked(
                app, tx, target.booking, target.start, move, locked=locked, actor=actor
            )
        except CONFLICTING as refusal:
            refused.append(Conflict(target.day, refusal.reason))
            continue
        if revision.notes is not None and revision.notes != booking.notes:
            noted = booking.note(revision.notes, now=tx.now)
            await booking_store.save_booking(tx, noted, ChangeKind.NOTED, actor)
            booking = noted
        changed.append(booking)
    return changed, refused


async def _rewrite(
    tx: Transaction,
    series: Series,
    occurrences: Iterable[Occurrence],
    day: date,
    revision: Revision,
    *,
    changed: Sequence[Booking],
) -> Series:
    """Writes down what a series says from a day on: itself, or a new one where something before it stays."""
    at, party_size, notes = revision.at, revision.party_size, revision.notes
    if not _begins_before(occurrences, day):
        after = replace(series, version=series.version + 1)
        after = after.revise(at=at, party_size=party_size, notes=notes)
        await store.save_series(tx, after)
        await events.series_changed(tx, after, changed)
        return after
    before, rest = series.before(day), series.since(day, ids.new(), now=tx.now)
    rest = rest.revise(at=at, party_size=party_size, notes=notes)
    await store.save_series(tx, before)
    await store.insert_series(tx, rest)
    await store.hand_over(tx, series.id, day, into=rest.id)
    await events.series_changed(tx, before, ())
    await events.series_created(tx, rest, changed)
    return rest


def _begins_before(occurrences: Iterable[Occurrence], day: date) -> bool:
    return any(each.date < day for each in occurrences)
