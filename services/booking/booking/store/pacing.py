"""Pacing rules of venues."""

from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import OCCUPYING, Status
from booking.domain.floor import Channel, Party
from booking.domain.offerings import OfferingNotFound
from booking.domain.overrides import Rule
from booking.domain.pacing import Beginning, PacingRule
from booking.store.offerings import refuse_unless_on_sale
from booking.store.refusals import refusing
from booking.tables import BOOKINGS, PACING_RULES
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.paging import Page

_REFUSALS = {"pacing_rules_of_offering": OfferingNotFound}

_key = sa.bindparam("key", type_=sa.Uuid)
_venue = sa.bindparam("venue", type_=sa.Uuid)
_LIST = sa.select(PACING_RULES).where(PACING_RULES.c.venue_id == _venue).order_by(PACING_RULES.c.id)
_PAGES = Keyset(_LIST, PACING_RULES.c.id)
_B = BOOKINGS.c
_BEGINNINGS = (
    sa.select(
        _B.id,
        _B.offering_id,
        _B.service_date,
        sa.extract("epoch", _B.start_at).label("starts"),
        _B.party_size,
        _B.channel,
        sa.or_(_B.start_at <= sa.func.now(), sa.literal(Rule.PACING.value) == sa.any_(_B.overridden)).label(
            "fixed"
        ),
    )
    .where(
        _B.venue_id == _venue,
        _B.service_date >= sa.bindparam("first", type_=sa.Date),
        sa.or_(
            _B.status.in_(sorted({*OCCUPYING, Status.COMPLETED} - {Status.HELD})),
            sa.and_(
                _B.status.in_([Status.HELD, Status.REQUESTED]),
                _B.hold_expires_at > sa.func.now(),
                sa.func.cardinality(_B.resource_ids) > 0,
            ),
        ),
    )
    .order_by(_B.id)
)
_SAVE = sa.update(PACING_RULES).where(PACING_RULES.c.id == _key)
_DELETE = sa.delete(PACING_RULES).where(PACING_RULES.c.id == _key)


async def list_beginnings(tx: Transaction, venue_id: UUID, first: date) -> list[Beginning]:
    """All that counts for pacing on the service days from one on, in the order of booking."""
    return [
        Beginning(
            booking_id=row.id,
            offering_id=row.offering_id,
            service_date=row.service_date,
            start=int(row.starts),
            party=Party(row.party_size, Channel(row.channel)),
            fixed=row.fixed,
        )
        for row in await tx.execute(_BEGINNINGS, {"venue": venue_id, "first": first})
    ]


async def list_rules(tx: Transaction, venue_id: UUID) -> list[PacingRule]:
    """All rules of a venue, oldest first."""
    return [_rule(row) for row in (await tx.execute(_LIST, {"venue": venue_id})).mappings()]


async def page_of_rules(tx: Transaction, venue_id: UUID, page: Page) -> tuple[list[PacingRule], str]:
    """A page, oldest first, and the token of the next."""
    rows, token = await _PAGES.read(tx, page, {"venue": venue_id})
    return [_rule(row) for row in rows], token


async def insert_rule(tx: Transaction, venue_id: UUID, rule: PacingRule) -> None:
    """Raises OfferingNotFound."""
    if rule.offering_id is not None:
        await refuse_unless_on_sale(tx, venue_id, rule.offering_id)
    row = {"organization_id": tx.organization, "venue_id": venue_id, "id": rule.id, **_limits(rule)}
    await _write(tx, sa.insert(PACING_RULES), row)


async def save_rule(tx: Transaction, venue_id: UUID, rule: PacingRule) -> None:
    """Keeps a changed rule. Raises OfferingNotFound."""
    if rule.offering_id is not None:
        await refuse_unless_on_sale(tx, venue_id, rule.offering_id)
    await _write(tx, _SAVE, {"key": rule.id, **_limits(rule)})


async def delete_rule(tx: Transaction, rule_id: UUID) -> None:
    """Deletes a rule."""
    await tx.execute(_DELETE, {"key": rule_id})


async def _write(tx: Transaction, statement: sa.Insert | sa.Update, values: dict[str, Any]) -> None:
    with refusing(_REFUSALS):
        await tx.execute(statement, values)


def _rule(row: sa.RowMapping) -> PacingRule:
    return PacingRule(
        id=row["id"],
        offering_id=row["offering_id"],
        interval_minutes=row["interval_minutes"],
        max_covers=row["max_covers"],
        max_parties=row["max_parties"],
        online_covers=row["online_covers"],
        online_parties=row["online_parties"],
    )


def _limits(rule: PacingRule) -> dict[str, Any]:
    return {
        "offering_id": rule.offering_id,
        "interval_minutes": rule.interval_minutes,
        "max_covers": rule.max_covers,
        "max_parties": rule.max_parties,
        "online_covers": rule.online_covers,
        "online_parties": rule.online_parties,
    }
