"""Pacing rules of venues."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.offerings import OfferingNotFound
from booking.domain.pacing import PacingRule
from booking.store.refusals import refusing
from booking.tables import PACING_RULES
from servicekit.database import Transaction

_REFUSALS = {"pacing_rules_of_offering": OfferingNotFound}

_key = sa.bindparam("key", type_=sa.Uuid)
_venue = sa.bindparam("venue", type_=sa.Uuid)
_LIST = sa.select(PACING_RULES).where(PACING_RULES.c.venue_id == _venue).order_by(PACING_RULES.c.id)
_SAVE = sa.update(PACING_RULES).where(PACING_RULES.c.id == _key)
_DELETE = sa.delete(PACING_RULES).where(PACING_RULES.c.id == _key)


async def list_rules(tx: Transaction, venue_id: UUID) -> list[PacingRule]:
    """All rules of a venue, oldest first."""
    return [
        PacingRule(
            id=row.id,
            offering_id=row.offering_id,
            interval_minutes=row.interval_minutes,
            max_covers=row.max_covers,
            max_parties=row.max_parties,
            online_covers=row.online_covers,
            online_parties=row.online_parties,
        )
        for row in await tx.execute(_LIST, {"venue": venue_id})
    ]


async def insert_rule(tx: Transaction, venue_id: UUID, rule: PacingRule) -> None:
    """Raises OfferingNotFound."""
    row = {"organization_id": tx.organization, "venue_id": venue_id, "id": rule.id, **_limits(rule)}
    await _write(tx, sa.insert(PACING_RULES), row)


async def save_rule(tx: Transaction, rule: PacingRule) -> None:
    """Keeps a changed rule. Raises OfferingNotFound."""
    await _write(tx, _SAVE, {"key": rule.id, **_limits(rule)})


async def delete_rule(tx: Transaction, rule_id: UUID) -> None:
    """Deletes a rule."""
    await tx.execute(_DELETE, {"key": rule_id})


async def _write(tx: Transaction, statement: sa.Insert | sa.Update, values: dict[str, Any]) -> None:
    with refusing(_REFUSALS):
        await tx.execute(statement, values)


def _limits(rule: PacingRule) -> dict[str, Any]:
    return {
        "offering_id": rule.offering_id,
        "interval_minutes": rule.interval_minutes,
        "max_covers": rule.max_covers,
        "max_parties": rule.max_parties,
        "online_covers": rule.online_covers,
        "online_parties": rule.online_parties,
    }
