"""Service days: what a plan is made of, in one statement, and the lock that changes of a day queue at."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from booking.domain.availability import Plan
from booking.domain.floor import Channel, Party
from booking.domain.occupancy import Allocation
from booking.domain.pacing import PacingRule
from booking.domain.placements import Placement, Taken
from booking.domain.venues import (
    Combination,
    Resource,
    ResourceKind,
    VenueNotFound,
)
from booking.store.floor import adjacency_of
from booking.store.hours import hours_of
from booking.store.statements import compiled, parameters
from booking.store.venues import offering_of
from booking.store.versions import forget, forget_after
from booking.tables import SERVICE_DAYS
from servicekit import idempotency
from servicekit.database import Database, Transaction
from servicekit.errors import Busy, IdempotencyKeyReused

_MOST_PLANS = 2_000
_LOST = "CB001"
_MOMENT = sa.DateTime(timezone=True)


class Lost(Busy):
    """Somebody was quicker: what was planned holds no longer, and nothing was written. Plan again."""


class Plans:
    """Plans of venues by the version they were read at. Each read asks the database for the version."""

    def __init__(self) -> None:
        self._plans: OrderedDict[UUID, Plan] = OrderedDict()

    def get(self, venue_id: UUID) -> Plan | None:
        """The newest plan that this process has read."""
        return self._plans.get(venue_id)

    def put(self, venue_id: UUID, plan: Plan) -> None:
        """Keeps a plan; forgets the one longest kept when there are too many."""
        self._plans[venue_id] = plan
        if len(self._plans) > _MOST_PLANS:
            self._plans.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Days:
    """What a plan is made on: one snapshot of a venue and some of its service days."""

    now: datetime
    """The database's clock."""
    plan: Plan
    versions: Mapping[date, int]
    allocations: Sequence[Allocation]
    placements: Sequence[Placement]
    """The bookings of these service days; none when the window did not ask for them."""
    earlier_booking: UUID | None
    """What the caller's Idempotency-Key made before."""

    @property
    def taken(self) -> Taken:
        """What others have of the time."""
        return Taken(self.allocations, self.placements)

    def version(self, day: date) -> int:
        """The version of a service day; 0 before anything was booked on it."""
        return self.versions.get(day, 0)


@dataclass(frozen=True, slots=True)
class Window:
    """Which service days to read, and which allocations: those that touch [start, end), in epoch seconds.

    With `touching`: the versions of these days instead of those of `days`.

    With `placements`: the live bookings of the days, too, and all of each block, also where bookings are.
    """

    days: tuple[date, ...]
    start: int
    end: int
    touching: tuple[date, ...] = ()
    placements: bool = False


_READ: sa.Select[*tuple[Any, ...]] = sa.select(
    *(
        sa.column(name)
        for name in (
            "now", "venue_version", "day_dates", "day_versions", "resource_ids", "starts", "ends",
            "booking_ids", "alive", "earlier_booking", "earlier_fingerprint", "placed_ids",
            "placed_offerings", "placed_dates", "placed_starts", "placed_ends", "placed_sizes",
            "placed_channels", "placed_areas", "placed_attributes", "placed_sizes_waived", "placed_movable",
        )
    ),
    sa.column("plan", sa.Text),
).select_from(
    sa.func.read_venue_days(
        *parameters(
            organization=sa.Uuid,
            venue=sa.Uuid,
            known_version=sa.BigInteger,
            dates=sa.ARRAY(sa.Date),
            touching=sa.ARRAY(sa.Date),
            start=_MOMENT,
            end=_MOMENT,
            key=sa.Text,
            placements=sa.Boolean,
        )
    ).table_valued()
)  # fmt: skip

_LOCK = insert(SERVICE_DAYS).on_conflict_do_update(
    index_elements=["organization_id", "venue_id", "service_date"],
    set_={"version": SERVICE_DAYS.c.version + 1},
)
_VENUE_LOCK = sa.func.hashtextextended("venue " + sa.cast(sa.bindparam("venue", type_=sa.Uuid), sa.Text), 0)
_SHARE_VENUE = sa.select(sa.func.pg_advisory_xact_lock_shared(_VENUE_LOCK))
_LOCK_VENUE = sa.select(sa.func.pg_advisory_xact_lock(_VENUE_LOCK))


_BARE_READ, _READ_ORDER = compiled(_READ)


async def read_days(
    db: Database,
    plans: Plans,
    organization: UUID,
    venue_id: UUID,
    window: Window,
    *,
    key: idempotency.Key | None = None,
) -> Days:
    """One snapshot, in one round trip. A plan that is not known yet comes along with it.

    Raises:
        VenueNotFound: the organization has no such venue.
        IdempotencyKeyReused: the key made something else before.
    """
    known = plans.get(venue_id)
    values = _read_values(known, organization, venue_id, window, key)
    async with db.driver() as connection:
        row = await connection.fetchrow(_BARE_READ, *(values[name] for name in _READ_ORDER))
    forget(organization)
    return _days(plans, known, venue_id, row, key)


async def read_days_in(
    tx: Transaction, plans: Plans, venue_id: UUID, window: Window, *, key: idempotency.Key | None = None
) -> Days:
    """The same inside a transaction, whose locks make it stay true. Raises like `read_days`."""
    assert tx.organization is not None  # noqa: S101
    known = plans.get(venue_id)
    values = _read_values(known, tx.organization, venue_id, window, key)
    row = (await tx.execute(_READ, values)).mappings().one_or_none()
    return _days(plans, known, venue_id, dict(row) if row else None, key)


async def lock_days(tx: Transaction, venue_id: UUID, days: set[date]) -> None:
    """Makes every other change of these service days wait for the end of `tx`, and their plans outdated.

    In order of time, so that two callers cannot wait for each other. Bookings are locked after their days.

    Raises:
        Busy: somebody holds a day for too long.
    """
    forget_after(tx)
    await share_venue(tx, venue_id)
    for day in sorted(days):
        await tx.execute(
            _LOCK,
            {"organization_id": tx.organization, "venue_id": venue_id, "service_date": day, "version": 1},
        )


async def share_venue(tx: Transaction, venue_id: UUID) -> None:
    """Keeps away whoever changes the venue until the transaction ends. Like `lock_venue` before any row.

    Raises:
        Busy: somebody changes it for too long.
    """
    await tx.execute(_SHARE_VENUE, {"venue": venue_id})


async def lock_venue(tx: Transaction, venue_id: UUID) -> None:
    """Waits for everything that books at a venue, and makes it wait for the end of `tx`.

    Take it first. Bookings share the lock among each other; commit_booking takes it likewise.

    Raises:
        Busy: somebody books for too long.
    """
    await tx.execute(_LOCK_VENUE, {"venue": venue_id})


def _read_values(
    known: Plan | None, organization: UUID, venue_id: UUID, window: Window, key: idempotency.Key | None
) -> dict[str, Any]:
    return {
        "organization": organization,
        "venue": venue_id,
        "known_version": known.version if known else None,
        "dates": list(window.days),
        "touching": list(window.touching or window.days),
        "start": _moment(window.start),
        "end": _moment(window.end),
        "key": key.text if key else None,
        "placements": window.placements,
    }


def _days(
    plans: Plans,
    known: Plan | None,
    venue_id: UUID,
    row: Mapping[str, Any] | None,
    key: idempotency.Key | None,
) -> Days:
    """What a row says. `known`: the plan whose version was told; by now another may be kept, even older."""
    if row is None:
        raise VenueNotFound
    if key and row["earlier_booking"] and row["earlier_fingerprint"] != key.fingerprint:
        raise IdempotencyKeyReused
    plan = known if row["plan"] is None else plans.get(venue_id)
    if row["plan"] is not None and (plan is None or plan.version != row["venue_version"]):
        plan = _plan(row["venue_version"], json.loads(row["plan"]))
        plans.put(venue_id, plan)
    assert plan is not None  # noqa: S101  # the database sends the plan that we said we do not know
    columns = (row[name] or () for name in ("resource_ids", "starts", "ends", "booking_ids", "alive"))
    return Days(
        now=row["now"],
        plan=plan,
        versions=dict(zip(row["day_dates"] or (), row["day_versions"] or (), strict=True)),
        allocations=list(map(Allocation._make, zip(*columns, strict=True))),
        placements=_placements(row),
        earlier_booking=row["earlier_booking"],
    )


def _placements(row: Mapping[str, Any]) -> list[Placement]:
    """The bookings of a row. Parties that are alike are one: a month has thousands, and few sizes."""
    if not row["placed_ids"]:
        return []
    parties: dict[tuple[Any, ...], Party] = {}

    def party(*asked: Any) -> Party:
        if asked not in parties:
            size, channel, area_id, attributes, any_size = asked
            parties[asked] = Party(
                size, Channel(channel), area_id, frozenset(attributes.split()), any_size=any_size
            )
        return parties[asked]

    columns = (
        row[f"placed_{name}"]
        for name in (
            "ids",
            "offerings",
            "dates",
            "starts",
            "ends",
            "sizes",
            "channels",
            "areas",
            "attributes",
            "sizes_waived",
            "movable",
        )
    )
    return [
        Placement(
            booking_id=booking_id,
            offering_id=offering_id,
            service_date=service_date,
            start=start,
            end=end,
            party=party(size, channel, area_id, attributes, size_waived),
            movable=movable,
        )
        for (
            booking_id,
            offering_id,
            service_date,
            start,
            end,
            size,
            channel,
            area_id,
            attributes,
            size_waived,
            movable,
        ) in zip(*columns, strict=True)
    ]


def _plan(version: int, document: Mapping[str, Any]) -> Plan:
    """A plan from what `venue_plan` wrote; a venue without any has null for a list."""
    currency, hours = document["currency"], document["hours"]
    retired = document["retired"] or ()
    return Plan.of(
        version,
        hours=hours_of(hours),
        resources=[_resource(each, document["floor"][each[0]]) for each in document["resources"] or ()],
        combinations=[
            Combination(
                UUID(each),
                name,
                tuple(map(UUID, members)),
                least,
                most,
                adjacency_of(*(document["rows"] or {}).get(each, (None, None, None))),
            )
            for each, name, least, most, members in document["combinations"] or ()
        ],
        offerings=[
            offering_of(
                UUID(each),
                name,
                turn_times=turns,
                slot_minutes=slot,
                min_notice_minutes=notice,
                max_advance_days=advance,
                deposit=tuple(deposit),
                currency=currency,
                terms=(document["terms"] or {}).get(each, {}),
                times=(hours["times"] or {}).get(each, {}),
                visit=(document["visits"] or {}).get(each, {}),
                retired=each in retired,
            )
            for each, name, turns, slot, notice, advance, *deposit in document["offerings"] or ()
        ],
        pacing=[
            PacingRule(UUID(each), offering and UUID(offering), *limits)
            for each, offering, *limits in document["pacing"] or ()
        ],
        reseating=document["reseating"],
    )


def _resource(told: Sequence[Any], place: Sequence[Any]) -> Resource:
    (resource_id, name, kind, least, most), (area, attributes, priority, online) = told, place
    return Resource(
        id=UUID(resource_id),
        name=name,
        kind=ResourceKind(kind),
        min_party=least,
        max_party=most,
        area_id=UUID(area) if area else None,
        attributes=frozenset(attributes),
        priority=priority,
        online=online,
    )


def _moment(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
