"""CapacityService: messages to use cases and back; and what requests say of resources and visits."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from booking.app import App
from booking.domain import texts
from booking.domain.offerings import Filling, OfferingNotFound
from booking.domain.operations import Need, Operation
from booking.domain.pacing import PacingRule, PacingRuleNotFound
from booking.domain.turns import Turns, TurnTime, WeekdayTurns
from booking.domain.venues import Adjacency, AreaNotFound, CombinationNotFound, ResourceNotFound
from booking.events.messages import KINDS, combination_message, offering_message, resource_message
from booking.servicer.reading import page, venue_ref
from booking.usecases import floor, pacing
from booking.usecases.floor import Furnishing, Joining, VisitChange
from booking.usecases.pacing import Limits
from comptoir.booking.v1 import capacity_pb2, capacity_pb2_grpc, venue_pb2
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_KINDS = {number: kind for kind, number in KINDS.items()}


class CapacityServicer(capacity_pb2_grpc.CapacityServiceServicer):
    """What a venue has."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def UpdateResource(
        self, request: capacity_pb2.UpdateResourceRequest, _context: _Context
    ) -> capacity_pb2.UpdateResourceResponse:
        """Replaces a resource."""
        furnishing = Furnishing(
            name=request.name,
            min_party=request.min_party,
            max_party=request.max_party,
            area_id=area_id(request.area_id),
            attributes=request.attributes,
            priority=request.priority,
            online=not request.staff_only,
            in_service=not request.out_of_service,
        )
        changed = await floor.update_resource(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("res", request.resource_id, ResourceNotFound),
            furnishing,
        )
        return capacity_pb2.UpdateResourceResponse(
            resource=resource_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def DeleteResource(
        self, request: capacity_pb2.DeleteResourceRequest, _context: _Context
    ) -> capacity_pb2.DeleteResourceResponse:
        """Deletes a resource."""
        await floor.delete_resource(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("res", request.resource_id, ResourceNotFound),
        )
        return capacity_pb2.DeleteResourceResponse()

    async def UpdateCombination(
        self, request: capacity_pb2.UpdateCombinationRequest, _context: _Context
    ) -> capacity_pb2.UpdateCombinationResponse:
        """Replaces a combination."""
        joining = Joining(
            name=request.name,
            resource_ids=[ids.parse("res", each, ResourceNotFound) for each in request.resource_ids],
            min_party=request.min_party,
            max_party=request.max_party,
            adjacency=adjacency(request),
        )
        changed = await floor.update_combination(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("cmb", request.combination_id, CombinationNotFound),
            joining,
        )
        return capacity_pb2.UpdateCombinationResponse(
            combination=combination_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def DeleteCombination(
        self, request: capacity_pb2.DeleteCombinationRequest, _context: _Context
    ) -> capacity_pb2.DeleteCombinationResponse:
        """Deletes a combination."""
        changed = await floor.delete_combination(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("cmb", request.combination_id, CombinationNotFound),
        )
        return capacity_pb2.DeleteCombinationResponse(stranded_booking_ids=_bookings(changed.stranded))

    async def UpdateOfferingVisit(
        self, request: capacity_pb2.UpdateOfferingVisitRequest, _context: _Context
    ) -> capacity_pb2.UpdateOfferingVisitResponse:
        """Replaces what a visit consists of."""
        change = VisitChange(
            turn_times(request.turn_times),
            weekday_turns(request),
            operations(request),
            filling(request),
            request.expected_version,
        )
        changed = await floor.update_visit(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            ids.parse("off", request.offering_id, OfferingNotFound),
            change,
        )
        return capacity_pb2.UpdateOfferingVisitResponse(
            offering=offering_message(changed.made), stranded_booking_ids=_bookings(changed.stranded)
        )

    async def CreatePacingRule(
        self, request: capacity_pb2.CreatePacingRuleRequest, _context: _Context
    ) -> capacity_pb2.CreatePacingRuleResponse:
        """Adds a rule."""
        changed = await pacing.create_rule(
            self._app, identity.caller().tenant, venue_ref(request.venue_id), _limits(request)
        )
        return capacity_pb2.CreatePacingRuleResponse(
            rule=_rule(changed.made), over_limit_booking_ids=_bookings(changed.stranded)
        )

    async def ListPacingRules(
        self, request: capacity_pb2.ListPacingRulesRequest, _context: _Context
    ) -> capacity_pb2.ListPacingRulesResponse:
        """Lists a venue's rules."""
        found, token = await pacing.list_rules(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            page(request, "pacing rules", request.venue_id, keys=1),
        )
        return capacity_pb2.ListPacingRulesResponse(items=map(_rule, found), next_page_token=token)

    async def UpdatePacingRule(
        self, request: capacity_pb2.UpdatePacingRuleRequest, _context: _Context
    ) -> capacity_pb2.UpdatePacingRuleResponse:
        """Replaces a rule."""
        rule_id = ids.parse("pac", request.rule_id, PacingRuleNotFound)
        changed = await pacing.update_rule(
            self._app, identity.caller().tenant, venue_ref(request.venue_id), rule_id, _limits(request)
        )
        return capacity_pb2.UpdatePacingRuleResponse(
            rule=_rule(changed.made), over_limit_booking_ids=_bookings(changed.stranded)
        )

    async def DeletePacingRule(
        self, request: capacity_pb2.DeletePacingRuleRequest, _context: _Context
    ) -> capacity_pb2.DeletePacingRuleResponse:
        """Deletes a rule."""
        rule_id = ids.parse("pac", request.rule_id, PacingRuleNotFound)
        await pacing.delete_rule(self._app, identity.caller().tenant, venue_ref(request.venue_id), rule_id)
        return capacity_pb2.DeletePacingRuleResponse()


def area_id(text: str) -> UUID | None:
    """An area by its id, or none. Raises AreaNotFound for what is neither."""
    return ids.parse("are", text, AreaNotFound) if text else None


def adjacency(request: Any) -> Adjacency | None:
    """How neighbours may be joined; None when the request does not say."""
    if not request.HasField("adjacency"):
        return None
    told = request.adjacency
    return Adjacency(told.max_joined, told.seats_lost_per_joint, told.min_party)


def turn_times(told: Iterable[venue_pb2.TurnTime]) -> tuple[TurnTime, ...]:
    """Turn times as the domain says them."""
    return tuple(TurnTime(turn.max_party, turn.minutes) for turn in told)


def weekday_turns(told: Any) -> tuple[WeekdayTurns, ...]:
    """The turn times of some weekdays."""
    return tuple(
        WeekdayTurns(tuple(sorted(each.weekdays)), turn_times(each.turn_times))
        for each in told.weekday_turn_times
    )


def operations(request: Any) -> tuple[Operation, ...]:
    """What a visit consists of. Raises Inconsistent for what contradicts itself, ResourceNotFound."""
    return tuple(_operation(number, each) for number, each in enumerate(request.operations))


def filling(request: Any) -> Filling:
    """How many seats may stay empty."""
    most = request.max_empty_seats if request.HasField("max_empty_seats") else None
    return Filling(most, request.last_fill_minutes)


def _operation(number: int, told: venue_pb2.Operation) -> Operation:
    turns = None
    if told.turn_times:
        turns = Turns(turn_times(told.turn_times), weekday_turns(told))
    elif told.weekday_turn_times:
        texts.refuse(f"/operations/{number}/turn_times", "must be given where weekdays have others")
    needs = [
        Need(
            kind=_KINDS.get(need.kind),
            attributes=frozenset(need.attributes),
            resource_ids=frozenset(ids.parse("res", each, ResourceNotFound) for each in need.resource_ids),
            quantity=need.quantity or 1,
            seats_party=need.seats_party,
            role=need.role,
        )
        for need in told.needs
    ]
    return Operation.add(number, name=told.name, needs=needs, turns=turns)


def _limits(request: Any) -> Limits:
    def limit(name: str) -> int | None:
        return getattr(request, name) if request.HasField(name) else None

    offering_id = request.offering_id
    return Limits(
        offering_id=ids.parse("off", offering_id, OfferingNotFound) if offering_id else None,
        interval_minutes=request.interval_minutes,
        max_covers=limit("max_covers"),
        max_parties=limit("max_parties"),
        online_covers=limit("online_covers"),
        online_parties=limit("online_parties"),
    )


def _rule(rule: PacingRule) -> capacity_pb2.PacingRule:
    return capacity_pb2.PacingRule(
        id=ids.show("pac", rule.id),
        offering_id=ids.show("off", rule.offering_id) if rule.offering_id else "",
        interval_minutes=rule.interval_minutes,
        max_covers=rule.max_covers,
        max_parties=rule.max_parties,
        online_covers=rule.online_covers,
        online_parties=rule.online_parties,
    )


def _bookings(booking_ids: Sequence[UUID]) -> list[str]:
    return [ids.show("bkg", each) for each in booking_ids]
