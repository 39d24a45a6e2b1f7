"""Pacing rules: how many may begin at once. A change names who is over the limit, and touches nobody."""

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain.pacing import PacingRule, PacingRuleNotFound, over_limit
from booking.domain.venues import PartDeleted, Venue, VenueRef
from booking.store import pacing as store
from booking.usecases import capacity
from booking.usecases.hours import Changed
from booking.usecases.venues import list_parts
from servicekit import idempotency, ids
from servicekit.database import Transaction
from servicekit.paging import Page

_MOST_NAMED = 500


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


async def create_rule(app: App, organization: UUID, ref: VenueRef, limits: Limits) -> Changed[PacingRule]:
    """Adds a rule, and names the bookings over its limit; the same again for the same Idempotency-Key.

    Raises:
        VenueNotFound, OfferingNotFound, Inconsistent, PartDeleted
        Busy: bookings are being made for too long.
    """
    rule = limits.rule(ids.new())
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        earlier = await idempotency.claim(tx, idempotency.key(), rule.id)
        if earlier:
            rule = await _rule(tx, venue.id, earlier, PartDeleted)
        else:
            await store.insert_rule(tx, venue.id, rule)
            await capacity.publish(tx, venue)
        return Changed(rule, await _over_limit(tx, venue, rule))


async def list_rules(app: App, organization: UUID, ref: VenueRef, page: Page) -> tuple[list[PacingRule], str]:
    """A page of a venue's rules, oldest first, and the token of the next. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.page_of_rules, page=page)


async def update_rule(
    app: App, organization: UUID, ref: VenueRef, rule_id: UUID, limits: Limits
) -> Changed[PacingRule]:
    """Replaces a rule, and names the bookings over its limit: they stay.

    Raises:
        VenueNotFound, PacingRuleNotFound, OfferingNotFound, Inconsistent, Busy
    """
    rule = limits.rule(rule_id)
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _rule(tx, venue.id, rule_id)
        await store.save_rule(tx, venue.id, rule)
        await capacity.publish(tx, venue)
        return Changed(rule, await _over_limit(tx, venue, rule))


async def delete_rule(app: App, organization: UUID, ref: VenueRef, rule_id: UUID) -> None:
    """Deletes a rule. Raises VenueNotFound, PacingRuleNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _rule(tx, venue.id, rule_id)
        await store.delete_rule(tx, rule_id)
        await capacity.publish(tx, venue)


async def _over_limit(tx: Transaction, venue: Venue, rule: PacingRule) -> list[UUID]:
    """The bookings to come that a rule would not let begin any more, by start; at most 500."""
    booked = await store.list_beginnings(tx, venue.id, capacity.today(tx))
    over = over_limit(ZoneInfo(venue.time_zone), rule, booked)
    return [each.booking_id for each in sorted(over, key=lambda each: each.start)[:_MOST_NAMED]]


async def _rule(
    tx: Transaction,
    venue_id: UUID,
    rule_id: UUID,
    missing: type[PacingRuleNotFound | PartDeleted] = PacingRuleNotFound,
) -> PacingRule:
    for each in await store.list_rules(tx, venue_id):
        if each.id == rule_id:
            return each
    raise missing
