"""Pacing rules: how many may begin at once. A change touches no booking that was made."""

from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain.pacing import PacingRule, PacingRuleNotFound
from booking.domain.venues import VenueRef
from booking.store import pacing as store
from booking.usecases import capacity
from booking.usecases.venues import add_part, list_parts
from servicekit import ids
from servicekit.database import Transaction


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rule is to say; None limits nothing."""

    offering_id: UUID | None
    interval_minutes: int
    max_covers: int | None
    max_parties: int | None
    online_covers: int | None
    online_parties: int | None

    def rule(self, rule_id: UUID) -> PacingRule:
        """As a rule. Raises Inconsistent when it limits nothing or contradicts itself."""
        return PacingRule.set(
            rule_id,
            offering_id=self.offering_id,
            interval_minutes=self.interval_minutes,
            max_covers=self.max_covers,
            max_parties=self.max_parties,
            online_covers=self.online_covers,
            online_parties=self.online_parties,
        )


async def create_rule(app: App, organization: UUID, ref: VenueRef, limits: Limits) -> PacingRule:
    """Adds a rule; the same again for the same Idempotency-Key.

    Raises:
        VenueNotFound, OfferingNotFound, Inconsistent
    """
    rule = limits.rule(ids.new())
    return await add_part(app, organization, ref, rule, insert=store.insert_rule, listed=store.list_rules)


async def list_rules(app: App, organization: UUID, ref: VenueRef) -> list[PacingRule]:
    """All rules of a venue, oldest first. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.list_rules)


async def update_rule(
    app: App, organization: UUID, ref: VenueRef, rule_id: UUID, limits: Limits
) -> PacingRule:
    """Replaces a rule. Raises VenueNotFound, PacingRuleNotFound, OfferingNotFound, Inconsistent, Busy."""
    rule = limits.rule(rule_id)
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _refuse_unless_there(tx, venue.id, rule_id)
        await store.save_rule(tx, rule)
        await capacity.publish(tx, venue)
    return rule


async def delete_rule(app: App, organization: UUID, ref: VenueRef, rule_id: UUID) -> None:
    """Deletes a rule. Raises VenueNotFound, PacingRuleNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _refuse_unless_there(tx, venue.id, rule_id)
        await store.delete_rule(tx, rule_id)
        await capacity.publish(tx, venue)


async def _refuse_unless_there(tx: Transaction, venue_id: UUID, rule_id: UUID) -> None:
    if rule_id not in {each.id for each in await store.list_rules(tx, venue_id)}:
        raise PacingRuleNotFound
