"""Adding facts up. Each figure is computed from the facts as they are now; docs/kpis.md defines them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from analytics.domain.figures import ActivityFigures, ServiceFigures, VenueNotFound
from analytics.domain.hours import Span, Window
from analytics.tables import CAPACITIES, CAPACITY_WINDOWS, VENUES
from servicekit.database import Transaction
from servicekit.money import Money

_MOMENT = sa.DateTime(timezone=True)

_VENUE = sa.select(VENUES.c.time_zone, VENUES.c.currency).where(
    VENUES.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    VENUES.c.venue_id == sa.bindparam("venue", type_=sa.Uuid),
)
_IN_FORCE = (
    sa.select(sa.func.max(CAPACITIES.c.version))
    .where(
        CAPACITIES.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        CAPACITIES.c.venue_id == sa.bindparam("venue", type_=sa.Uuid),
        CAPACITIES.c.since < sa.bindparam("until", type_=_MOMENT),
    )
    .scalar_subquery()
)
_CAPACITY = sa.select(_IN_FORCE)
_WINDOWS = sa.select(CAPACITY_WINDOWS.c.weekday, CAPACITY_WINDOWS.c.opens, CAPACITY_WINDOWS.c.closes).where(
    CAPACITY_WINDOWS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    CAPACITY_WINDOWS.c.venue_id == sa.bindparam("venue", type_=sa.Uuid),
    CAPACITY_WINDOWS.c.version == sa.bindparam("capacity", type_=sa.BigInteger),
)

# One statement, so that all figures of an answer are of one moment.
_FIGURES = sa.text("""
    WITH served AS (
        SELECT * FROM booking_facts
        WHERE organization_id = :organization AND venue_id = :venue AND service_date = :day
    ), seats AS (
        SELECT resource_id, seats FROM capacity_seats
        WHERE organization_id = :organization AND venue_id = :venue AND version = :capacity
    ), hours AS (
        SELECT opens, closes FROM unnest(:opens, :closes) AS span (opens, closes)
    ), confirmed_that_day AS (
        SELECT party_size FROM booking_facts
        WHERE organization_id = :organization AND venue_id = :venue
          AND confirmed_at >= :since AND confirmed_at < :until
    ), refunded_that_day AS (
        SELECT organization_id, payment_id, booking_id, max(refunded) AS by_then FROM refund_facts
        WHERE organization_id = :organization AND currency = :currency
          AND refunded_at >= :since AND refunded_at < :until
        GROUP BY organization_id, payment_id, booking_id
    )
    SELECT
        (SELECT count(*) FROM served WHERE status = 'confirmed') AS bookings,
        (SELECT coalesce(sum(party_size), 0) FROM served WHERE status = 'confirmed') AS covers,
        (SELECT count(*) FROM served
            WHERE status = 'cancelled' AND confirmed_at IS NOT NULL) AS cancellations,
        (SELECT coalesce(sum(seats), 0) FROM seats) AS seats,
        (SELECT coalesce(sum(seats.seats * extract(epoch FROM
                    least(served.ends_at, hours.closes) - greatest(served.starts_at, hours.opens))), 0)
            FROM served
            JOIN seats ON seats.resource_id = ANY (served.resource_ids)
            JOIN hours ON served.starts_at < hours.closes AND served.ends_at > hours.opens
            WHERE served.status = 'confirmed') AS occupied_seat_seconds,
        (SELECT count(*) FROM confirmed_that_day) AS bookings_confirmed,
        (SELECT coalesce(sum(party_size), 0) FROM confirmed_that_day) AS covers_confirmed,
        (SELECT count(*) FROM booking_facts
            WHERE organization_id = :organization AND venue_id = :venue AND confirmed_at IS NOT NULL
              AND cancelled_at >= :since AND cancelled_at < :until) AS bookings_cancelled,
        (SELECT coalesce(sum(paid.amount), 0)
            FROM payment_facts AS paid
            JOIN booking_facts AS booked USING (organization_id, booking_id)
            WHERE paid.organization_id = :organization AND paid.currency = :currency
              AND paid.paid_at >= :since AND paid.paid_at < :until
              AND booked.venue_id = :venue) AS deposits,
        (SELECT coalesce(sum(greatest(refunded.by_then - coalesce(before.refunded, 0), 0)), 0)
            FROM refunded_that_day AS refunded
            JOIN booking_facts AS booked USING (organization_id, booking_id)
            CROSS JOIN LATERAL (
                SELECT max(earlier.refunded) AS refunded FROM refund_facts AS earlier
                WHERE earlier.organization_id = refunded.organization_id
                  AND earlier.payment_id = refunded.payment_id AND earlier.refunded_at < :since
            ) AS before
            WHERE booked.venue_id = :venue) AS refunds,
        greatest(
            (SELECT max(changed_at) FROM venues WHERE organization_id = :organization),
            (SELECT max(since) FROM capacities WHERE organization_id = :organization),
            (SELECT max(told_at) FROM booking_facts WHERE organization_id = :organization),
            (SELECT max(paid_at) FROM payment_facts WHERE organization_id = :organization),
            (SELECT max(refunded_at) FROM refund_facts WHERE organization_id = :organization)
        ) AS as_of
""").bindparams(
    sa.bindparam("organization", type_=sa.Uuid),
    sa.bindparam("venue", type_=sa.Uuid),
    sa.bindparam("day", type_=sa.Date),
    sa.bindparam("capacity", type_=sa.BigInteger),
    sa.bindparam("opens", type_=sa.ARRAY(_MOMENT)),
    sa.bindparam("closes", type_=sa.ARRAY(_MOMENT)),
    sa.bindparam("since", type_=_MOMENT),
    sa.bindparam("until", type_=_MOMENT),
    sa.bindparam("currency", type_=sa.Text),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that one look at the facts gives."""

    service: ServiceFigures
    activity: ActivityFigures
    as_of: datetime


async def get_venue(tx: Transaction, venue_id: UUID) -> tuple[str, str]:
    """The IANA zone and the currency of a venue. Raises VenueNotFound until a fact about it arrived."""
    row = (await tx.execute(_VENUE, {"organization": tx.organization, "venue": venue_id})).one_or_none()
    if row is None:
        raise VenueNotFound
    return row.time_zone, row.currency


async def get_capacity(tx: Transaction, venue_id: UUID, *, until: datetime) -> tuple[int, frozenset[Window]]:
    """The version of a venue's capacity in force before `until`, 0 for none, and its windows."""
    of = {"organization": tx.organization, "venue": venue_id}
    version: int = (await tx.execute(_CAPACITY, of | {"until": until})).scalar_one() or 0
    rows = await tx.execute(_WINDOWS, of | {"capacity": version})
    return version, frozenset(Window(row.weekday, row.opens, row.closes) for row in rows)


async def get_figures(
    tx: Transaction,
    venue_id: UUID,
    *,
    service_day: date,
    local_day: Span,
    capacity: int,
    hours: Sequence[Span],
    currency: str,
) -> Figures:
    """The figures of a day, of all facts that are known at this moment."""
    values = {
        "organization": tx.organization,
        "venue": venue_id,
        "day": service_day,
        "since": local_day.start,
        "until": local_day.end,
        "capacity": capacity,
        "opens": [span.start for span in hours],
        "closes": [span.end for span in hours],
        "currency": currency,
    }
    row = (await tx.execute(_FIGURES, values)).one()
    service = ServiceFigures(
        bookings=row.bookings,
        covers=row.covers,
        occupied_seat_seconds=int(row.occupied_seat_seconds),
        offered_seat_seconds=row.seats * sum(span.seconds for span in hours),
        cancellations=row.cancellations,
    )
    activity = ActivityFigures(
        bookings=row.bookings_confirmed,
        covers=row.covers_confirmed,
        cancellations=row.bookings_cancelled,
        deposits=Money(int(row.deposits), currency),
        refunds=Money(int(row.refunds), currency),
    )
    return Figures(service, activity, row.as_of)
