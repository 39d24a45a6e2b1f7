"""What a visit consists of: operations one after another, and the resources that each needs. Pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from booking.domain import texts
from booking.domain.turns import Turns
from booking.domain.venues import ResourceKind


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation needs: a seating for the whole party, or so many single resources."""

    kind: ResourceKind | None = None
    """None for any."""
    attributes: frozenset[str] = frozenset()
    """What each resource must have: "lift", a skill like "gearbox"."""
    resource_ids: frozenset[UUID] = frozenset()
    """Only these; any when empty."""
    quantity: int = 1
    seats_party: bool = False
    """Whether the resources are chosen by the size of the party, and may be a combination."""
    role: str = ""
    """Needs of several operations with the same role are served by the same resources."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A part of a visit. It begins when the one before ends."""

    name: str
    needs: tuple[Need, ...]
    turns: Turns | None = None
    """How long it takes; None for as long as the offering's turn times say."""

    @classmethod
    def add(cls, number: int, *, name: str, needs: Sequence[Need], turns: Turns | None) -> "Operation":
        """The operation of an offering with this number, from 0.

        Raises:
            InvalidRequest: a blank name.
            TurnTimesNotRising: a later turn time is not for larger parties.
            Inconsistent: several seatings for one party, or a role twice.
        """
        pointer = f"/operations/{number}"
        if turns:
            turns.refuse_unless_plain(pointer)
        roles: set[str] = set()
        for place, need in enumerate(needs):
            if need.seats_party and need.quantity != 1:
                texts.refuse(f"{pointer}/needs/{place}/quantity", "must be 1 for what seats the party")
            if need.role in roles:
                texts.refuse(f"{pointer}/needs/{place}/role", "must not be named twice in one operation")
            roles.update({need.role} - {""})
        return cls(texts.name(f"{pointer}/name", name), tuple(needs), turns)


SEATING = (Operation("", (Need(seats_party=True),)),)
"""What offerings consist of that do not say more: one seating for as long as the turn times say."""


def refuse_unless_consistent(operations: Sequence[Operation]) -> None:
    """Lets operations pass that need something and whose roles mean the same everywhere.

    Raises:
        Inconsistent: nothing is needed at all, or a role has different numbers of resources.
    """
    if not any(operation.needs for operation in operations):
        texts.refuse("/operations", "must need something")
    meant: dict[str, tuple[int, bool]] = {}
    for number, operation in enumerate(operations):
        for place, need in enumerate(operation.needs):
            shape = need.quantity, need.seats_party
            if need.role and meant.setdefault(need.role, shape) != shape:
                texts.refuse(f"/operations/{number}/needs/{place}/role", "must mean as many each time")
