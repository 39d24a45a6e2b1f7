"""What a visit of an offering consists of and needs, as the JSON of its column. Knows no SQL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from booking.domain.offerings import Filling, Offering
from booking.domain.operations import Need, Operation
from booking.domain.turns import Turns, TurnTime, WeekdayTurns
from booking.domain.venues import ResourceKind


def visit_document(offering: Offering) -> dict[str, Any]:
    """Everything beyond the turn times, without what the offering does not say."""
    document: dict[str, Any] = {}
    if offering.weekday_turns:
        document["weekday_turns"] = _weekdays_document(offering.weekday_turns)
    if offering.operations:
        document["operations"] = [_operation_document(each) for each in offering.operations]
    if offering.filling != Filling():
        document["filling"] = [offering.filling.max_empty_seats, offering.filling.last_fill_minutes]
    return document


def visit_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same as fields of an offering."""
    filling = document.get("filling")
    return {
        "weekday_turns": _weekdays(document.get("weekday_turns", ())),
        "operations": tuple(_operation(each) for each in document.get("operations", ())),
        "filling": Filling(*filling) if filling else Filling(),
    }


def turns_document(turn_times: Iterable[TurnTime]) -> list[list[int]]:
    """Turn times as they are kept: [[largest party, minutes], …]."""
    return [[turn.max_party, turn.minutes] for turn in turn_times]


def turns_of(document: Iterable[Sequence[int]]) -> tuple[TurnTime, ...]:
    """Turn times from what is kept of them."""
    return tuple(TurnTime(max_party, minutes) for max_party, minutes in document)


def _weekdays_document(weekdays: Iterable[WeekdayTurns]) -> list[list[Any]]:
    return [[list(each.weekdays), turns_document(each.turn_times)] for each in weekdays]


def _weekdays(document: Iterable[Sequence[Any]]) -> tuple[WeekdayTurns, ...]:
    return tuple(WeekdayTurns(tuple(weekdays), turns_of(turns)) for weekdays, turns in document)


def _operation_document(operation: Operation) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": operation.name,
        "needs": [_need_document(each) for each in operation.needs],
    }
    if operation.turns:
        document["turn_times"] = turns_document(operation.turns.usual)
        document["weekday_turns"] = _weekdays_document(operation.turns.weekdays)
    return document


def _operation(document: Mapping[str, Any]) -> Operation:
    turns = None
    if "turn_times" in document:
        turns = Turns(turns_of(document["turn_times"]), _weekdays(document["weekday_turns"]))
    return Operation(document["name"], tuple(_need(each) for each in document["needs"]), turns)


def _need_document(need: Need) -> dict[str, Any]:
    return {
        "kind": need.kind and need.kind.value,
        "attributes": sorted(need.attributes),
        "resources": sorted(map(str, need.resource_ids)),
        "quantity": need.quantity,
        "seats_party": need.seats_party,
        "role": need.role,
    }


def _need(document: Mapping[str, Any]) -> Need:
    return Need(
        kind=ResourceKind(document["kind"]) if document["kind"] else None,
        attributes=frozenset(document["attributes"]),
        resource_ids=frozenset(map(UUID, document["resources"])),
        quantity=document["quantity"],
        seats_party=document["seats_party"],
        role=document["role"],
    )
