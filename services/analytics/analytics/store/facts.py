"""Taking facts in. Every statement gives the same rows for the same facts, in any order, however often."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from analytics.domain.facts import BookingFact, CapacityFact, PaymentFact, RefundFact, VenueFact
from analytics.tables import (
    BOOKING_FACTS,
    CAPACITIES,
    CAPACITY_SEATS,
    CAPACITY_WINDOWS,
    PAYMENT_FACTS,
    REFUND_FACTS,
    VENUES,
)
from servicekit.database import Transaction

_NEW_VENUE = insert(VENUES)
_VENUE = _NEW_VENUE.on_conflict_do_update(
    index_elements=["organization_id", "venue_id"],
    set_={name: _NEW_VENUE.excluded[name] for name in ("time_zone", "currency", "changed_at", "event_id")},
    where=sa.tuple_(_NEW_VENUE.excluded.changed_at, _NEW_VENUE.excluded.event_id)
    > sa.tuple_(VENUES.c.changed_at, VENUES.c.event_id),
)

_CAPACITY = insert(CAPACITIES).on_conflict_do_nothing(
    index_elements=["organization_id", "venue_id", "version"]
)
_SEATS = sa.insert(CAPACITY_SEATS)
_WINDOWS = sa.insert(CAPACITY_WINDOWS)

_STATE = (
    "venue_id",
    "version",
    "status",
    "party_size",
    "starts_at",
    "ends_at",
    "service_date",
    "resource_ids",
)
_NEW_BOOKING = insert(BOOKING_FACTS)
_IS_NEWER = _NEW_BOOKING.excluded.version > BOOKING_FACTS.c.version
# LEAST and GREATEST ignore nulls: what happened once stays known, whichever fact comes last.
_BOOKING = _NEW_BOOKING.on_conflict_do_update(
    index_elements=["organization_id", "booking_id"],
    set_={
        name: sa.case((_IS_NEWER, _NEW_BOOKING.excluded[name]), else_=BOOKING_FACTS.c[name])
        for name in _STATE
    }
    | {
        "told_at": sa.func.greatest(BOOKING_FACTS.c.told_at, _NEW_BOOKING.excluded.told_at),
        "confirmed_at": sa.func.least(BOOKING_FACTS.c.confirmed_at, _NEW_BOOKING.excluded.confirmed_at),
        "cancelled_at": sa.func.least(BOOKING_FACTS.c.cancelled_at, _NEW_BOOKING.excluded.cancelled_at),
    },
)

_NEW_PAYMENT = insert(PAYMENT_FACTS)
_PAYMENT = _NEW_PAYMENT.on_conflict_do_update(
    index_elements=["organization_id", "payment_id"],
    set_={"paid_at": sa.func.least(PAYMENT_FACTS.c.paid_at, _NEW_PAYMENT.excluded.paid_at)},
)
_NEW_REFUND = insert(REFUND_FACTS)
_REFUND = _NEW_REFUND.on_conflict_do_update(
    index_elements=["organization_id", "payment_id", "refunded"],
    set_={"refunded_at": sa.func.least(REFUND_FACTS.c.refunded_at, _NEW_REFUND.excluded.refunded_at)},
)

_READ = {
    table: sa.select(table).where(
        table.c.booking_id == sa.any_(sa.bindparam("bookings", type_=sa.ARRAY(sa.Uuid)))
    )
    for table in (BOOKING_FACTS, PAYMENT_FACTS, REFUND_FACTS)
}


async def save_venue(tx: Transaction, fact: VenueFact) -> None:
    """Keeps what a venue said about itself, unless something newer is known."""
    await tx.execute(_VENUE, asdict(fact) | {"organization_id": tx.organization})


async def save_capacity(tx: Transaction, fact: CapacityFact) -> None:
    """Keeps a version of what a venue has to offer, once."""
    of = {"organization_id": tx.organization, "venue_id": fact.venue_id, "version": fact.version}
    if not (await tx.execute(_CAPACITY, of | {"since": fact.since})).rowcount:
        return
    if fact.seats:
        await tx.execute(
            _SEATS, [of | {"resource_id": resource, "seats": seats} for resource, seats in fact.seats]
        )
    if fact.windows:
        await tx.execute(_WINDOWS, [of | asdict(window) for window in sorted(fact.windows)])


async def save_booking(tx: Transaction, fact: BookingFact) -> None:
    """Keeps how a booking stands, unless a newer version is known, and when it was promised or called off."""
    row = asdict(fact) | {"organization_id": tx.organization, "resource_ids": list(fact.resource_ids)}
    await tx.execute(_BOOKING, row)


async def save_payment(tx: Transaction, fact: PaymentFact) -> None:
    """Keeps that a deposit was paid."""
    await tx.execute(
        _PAYMENT,
        {
            "organization_id": tx.organization,
            "payment_id": fact.payment_id,
            "booking_id": fact.booking_id,
            "amount": fact.amount.amount,
            "currency": fact.amount.currency,
            "paid_at": fact.paid_at,
        },
    )


async def save_refund(tx: Transaction, fact: RefundFact) -> None:
    """Keeps how much of a payment had been given back, in all."""
    await tx.execute(
        _REFUND,
        {
            "organization_id": tx.organization,
            "payment_id": fact.payment_id,
            "booking_id": fact.booking_id,
            "refunded": fact.refunded.amount,
            "currency": fact.refunded.currency,
            "refunded_at": fact.refunded_at,
        },
    )


async def read_facts(tx: Transaction, bookings: Sequence[UUID]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Every fact about some bookings, row by row: for whom they are about."""
    of_these = {"bookings": bookings}
    return {
        table.name: [dict(row) for row in (await tx.execute(query, of_these)).mappings()]
        for table, query in _READ.items()
    }
