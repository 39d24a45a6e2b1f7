"""What takes a party: resources alone and joined, and which of them a party may have. Knows no time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from booking.domain.operations import Need
from booking.domain.venues import Combination, Resource, ResourceKind


class Channel(StrEnum):
    """How a booking comes in."""

    ONLINE = "online"
    """By a guest, or by a connector for one."""
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Party:
    """Who is to be seated, and what they ask of the place."""

    size: int
    channel: Channel = Channel.ONLINE
    area_id: UUID | None = None
    """Only there."""
    attributes: frozenset[str] = frozenset()
    """What everything that seats them must have, like "accessible"."""
    any_size: bool = False
    """Whether staff set aside what resources take."""


@dataclass(frozen=True, slots=True)
class Seating:
    """Resources that take a party together: one alone, or some that are joined."""

    resource_ids: tuple[UUID, ...]
    min_party: int
    max_party: int
    name: str
    kinds: frozenset[ResourceKind] = frozenset()
    attributes: frozenset[str] = frozenset()
    """What every member has."""
    areas: frozenset[UUID | None] = frozenset()
    priority: int = 0
    """Lower ones are filled first; of joined ones, the highest."""
    online: bool = True
    """Whether guests may book it, too."""

    def serves(self, need: Need) -> bool:
        """Whether its kind, attributes and identity are what the need asks for."""
        return (
            (need.kind is None or self.kinds <= {need.kind})
            and need.attributes <= self.attributes
            and (not need.resource_ids or need.resource_ids.issuperset(self.resource_ids))
        )

    def is_open_to(self, party: Party) -> bool:
        """Whether a party that comes in by its channel may have it."""
        return self.online or party.channel is Channel.STAFF

    def suits(self, party: Party) -> bool:
        """Whether it is where the party wants to be, and has what it asks for."""
        return (
            party.area_id is None or self.areas == {party.area_id}
        ) and party.attributes <= self.attributes

    def cost(self, party_size: int) -> tuple[int, int, int, str]:
        """What choosing it wastes: resources, then seats, then its priority; by name if all are the same."""
        return len(self.resource_ids), self.max_party - party_size, self.priority, self.name


def seatings_of(resources: Iterable[Resource], combinations: Iterable[Combination]) -> tuple[Seating, ...]:
    """All seatings of a venue: single resources, explicit combinations, and runs of neighbours.

    What is out of service seats nobody, and breaks a run. Of two seatings of the same resources the explicit
    one counts, of two runs the first by the names along it.
    """
    in_service = {each.id: each for each in resources if each.in_service}
    found = [_joined([each], each.min_party, each.max_party, each.name) for each in in_service.values()]
    explicit, runs = [], []
    for combination in combinations:
        members = [in_service.get(each) for each in combination.resource_ids]
        if combination.adjacency is not None:
            runs += _runs(combination, members)
        else:
            whole = [each for each in members if each is not None]
            if len(whole) == len(members):
                explicit.append(
                    _joined(whole, combination.min_party, combination.max_party, combination.name)
                )
    named = {frozenset(each.resource_ids) for each in explicit}
    for run in sorted(runs, key=lambda each: each.name):
        if frozenset(run.resource_ids) not in named:
            named.add(frozenset(run.resource_ids))
            explicit.append(run)
    return tuple(sorted(found + explicit, key=lambda each: each.cost(0)))


def candidates(
    seatings: Iterable[Seating], need: Need, party: Party, *, most_empty: int | None
) -> tuple[Seating, ...]:
    """What may serve a need of a party, best fit first.

    `most_empty`: seats that may stay empty; None for any number. What does not seat the party is chosen by
    priority and name alone. For a party whose size was set aside: whatever has the seats, otherwise what has
    the most.
    """
    serving = [each for each in seatings if each.serves(need) and each.is_open_to(party)]
    if not need.seats_party:
        single = [each for each in serving if len(each.resource_ids) == 1]
        return tuple(sorted(single, key=lambda each: (each.priority, each.name)))
    suiting = [each for each in serving if each.suits(party)]
    if party.any_size:
        enough = [each for each in suiting if party.size <= each.max_party]
        if enough:
            return tuple(sorted(enough, key=lambda each: each.cost(party.size)))
        return tuple(sorted(suiting, key=lambda each: (-each.max_party, each.name)))
    fitting = [
        each
        for each in suiting
        if each.min_party <= party.size <= each.max_party
        and (most_empty is None or each.max_party - party.size <= most_empty)
    ]
    return tuple(sorted(fitting, key=lambda each: each.cost(party.size)))


def _joined(members: Sequence[Resource], min_party: int, max_party: int, name: str) -> Seating:
    return Seating(
        resource_ids=tuple(sorted(each.id for each in members)),
        min_party=min_party,
        max_party=max_party,
        name=name,
        kinds=frozenset(each.kind for each in members),
        attributes=frozenset.intersection(*(each.attributes for each in members)),
        areas=frozenset(each.area_id for each in members),
        priority=max(each.priority for each in members),
        online=all(each.online for each in members),
    )


def _runs(combination: Combination, members: Sequence[Resource | None]) -> list[Seating]:
    """Every run of two to `max_joined` neighbours that takes somebody."""
    rule = combination.adjacency
    assert rule is not None  # noqa: S101  # the caller has looked
    runs: list[Seating] = []
    for first in range(len(members)):
        for after in range(first + 2, min(first + rule.max_joined, len(members)) + 1):
            run = [each for each in members[first:after] if each is not None]
            if len(run) < after - first:
                break
            most = sum(each.max_party for each in run) - rule.seats_lost_per_joint * (len(run) - 1)
            least = rule.min_party or max(each.max_party for each in run) + 1
            if least <= most:
                runs.append(_joined(run, least, most, "+".join(each.name for each in run)))
    return runs
