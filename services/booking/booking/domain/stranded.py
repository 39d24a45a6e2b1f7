"""Bookings that hours or capacity do not allow any more. They stay; people decide what becomes of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from booking.domain import exceptions
from booking.domain.availability import Plan
from booking.domain.blocks import Block
from booking.domain.floor import Channel, Party
from booking.domain.occupancy import Occupation
from booking.domain.overrides import Rule
from booking.domain.refusals import NoTableForParty, Refusal
from booking.domain.venues import ResourceKind, ResourceNotFound


class Stranding(StrEnum):
    """Why a booking is stranded, in the order in which it is told."""

    CLOSED = "closed"
    MUST_FINISH = "must_finish"
    RESOURCE_OUT_OF_SERVICE = "resource_out_of_service"
    NO_TABLE_FOR_PARTY = "no_table_for_party"
    NOT_JOINED = "not_joined"
    NOT_AS_ASKED = "not_as_asked"


_OF_TIME = {Refusal.CLOSED: Stranding.CLOSED, Refusal.MUST_FINISH: Stranding.MUST_FINISH}


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a live booking counts on. Epoch seconds."""

    booking_id: UUID
    offering_id: UUID
    service_date: date
    start_at: datetime
    """The start as it was written, fractions of a second included."""
    start: int
    end: int
    party_size: int
    resource_ids: tuple[UUID, ...]
    """None for a request that keeps no room."""
    occupations: tuple[Occupation, ...]
    """When it has each of them, buffers included."""
    overridden: frozenset[Rule]
    area_id: UUID | None = None
    """What the guest asked of the place; and what else."""
    attributes: frozenset[str] = frozenset()
    placed_by_staff: bool = False
    """Whether staff chose its resources: they knew what these are, and whether they are joined."""


def stranding(plan: Plan, commitment: Commitment, blocks: Iterable[Block] = ()) -> Stranding | None:
    """Why the plan, or a block, does not allow a booking any more; None when they do.

    Rules that staff set aside for it do not count, and neither do notice and the grid of starts: it was
    booked when they allowed it.
    """
    if Rule.CLOSED not in commitment.overridden:
        reason = _against_time(plan, commitment)
        if reason is not None:
            return reason
    return _against_resources(plan, commitment, blocks) if commitment.resource_ids else None


def _against_resources(plan: Plan, commitment: Commitment, blocks: Iterable[Block]) -> Stranding | None:
    if any(_blocks(block, commitment) for block in blocks):
        return Stranding.RESOURCE_OUT_OF_SERVICE
    party = Party(commitment.party_size, Channel.STAFF, any_size=Rule.PARTY_SIZE in commitment.overridden)
    offering = plan.offering_of(commitment.offering_id)
    try:
        demands = exceptions.chosen_demands(
            plan, offering, commitment.resource_ids, party, commitment.service_date
        )
    except ResourceNotFound:
        return Stranding.RESOURCE_OUT_OF_SERVICE
    except NoTableForParty:
        return Stranding.NO_TABLE_FOR_PARTY
    if commitment.placed_by_staff:
        return None
    return _against_seating(plan, commitment, joined=len(demands) == 1)


def _against_seating(plan: Plan, commitment: Commitment, *, joined: bool) -> Stranding | None:
    """What the engine would not choose for it now. `joined`: its resources serve it as one."""
    wanted = set(commitment.resource_ids)
    if joined and len(wanted) > 1:
        together = (each for each in plan.seatings if len(each.resource_ids) == len(wanted))
        if not any(wanted.issuperset(each.resource_ids) for each in together):
            return Stranding.NOT_JOINED
    if commitment.area_id is None and not commitment.attributes:
        return None
    asked = Party(commitment.party_size, area_id=commitment.area_id, attributes=commitment.attributes)
    seating_party = _seating_party(plan, commitment)
    alone = [
        each
        for each in plan.seatings
        if len(each.resource_ids) == 1 and wanted.issuperset(each.resource_ids) and each.kinds & seating_party
    ]
    return None if all(each.suits(asked) for each in alone) else Stranding.NOT_AS_ASKED


def _seating_party(plan: Plan, commitment: Commitment) -> frozenset[ResourceKind]:
    """The kinds of what has to be as asked: of what seats the party; of everything when nothing does."""
    visit = plan.offering_of(commitment.offering_id).visit
    needs = [need for operation in visit for need in operation.needs]
    seats = [need for need in needs if need.seats_party] or needs
    kinds = {need.kind for need in seats if need.kind is not None}
    return frozenset(kinds) if kinds and all(need.kind for need in seats) else frozenset(ResourceKind)


def _against_time(plan: Plan, commitment: Commitment) -> Stranding | None:
    offering = plan.offerings.get(commitment.offering_id)
    if offering is None:
        return Stranding.CLOSED
    refusal = exceptions.refusal_of_stay(
        plan, offering, commitment.service_date, start=commitment.start, end=commitment.end
    )
    return None if refusal is None else _OF_TIME[refusal]


def _blocks(block: Block, commitment: Commitment) -> bool:
    """Whether a block has something while the booking has it: not every operation needs everything."""
    start, end = block.start.timestamp(), block.end.timestamp()
    return any(
        each.resource_id in block.resource_ids and start < each.end and each.start < end
        for each in commitment.occupations
    )
