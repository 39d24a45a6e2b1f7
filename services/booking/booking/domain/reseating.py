"""Room for a party by moving others to seats that suit them as well. Exact, complete, and bounded in work."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from booking.domain.crowd import Crowd, Hope, Item, Option
from booking.domain.demands import Demand
from booking.domain.floor import Seating
from booking.domain.occupancy import Occupation, Spans
from booking.domain.refusals import Refusal
from booking.domain.solver import Choice, Relocation, occupations_of, resources_of


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes for one start. The same for who asks and who books: both get the same answer."""

    few: int = 20_000
    """Seatings that may be looked at to move one or two: far more than a visit of one resource needs."""
    many: int = 200
    """The same to move more: some tenths of a millisecond."""


LIMITS = Limits()
_FEW = 2


class _Exhausted(Exception):  # unwinds a search that may go on no longer
    """Nothing more may be looked at."""


def make_room(
    demands: Sequence[Demand], start: int, crowd: Crowd, limits: Limits = LIMITS
) -> Choice | Refusal:
    """What a visit from `start` (epoch seconds) on occupies when others may move; or that nothing helps.

    Moves as few bookings as possible. FULLY_BOOKED is proved: nobody who moves, however many, lets it in, and
    no further booking changes that. OCCUPIED is not: a way to move several may have been missed. Depends on
    nothing but the visit and the crowd, whoever asks and whatever was asked before.

    Whoever is moved, is moved for somebody who takes the seat: from the newcomer on, each placed visit drives
    out those in its way, and they are placed in turn. Every rearrangement in which nobody is moved for
    nothing is found like this. Limits of 1, 2, … moved bookings are tried in turn until one is enough, or
    until no branch has met the limit, which proves that there is none.
    """
    if not demands or is_hopeless(demands, start, crowd):
        return Refusal.FULLY_BOOKED
    search = _Search(crowd, crowd.newcomer(demands, start), limits.few)
    try:
        limit = 1
        while search.attempt(limit):
            if search.solved:
                return search.choice()
            limit += 1
            if limit == _FEW + 1:
                search.steps = limits.many
    except _Exhausted:
        return Refusal.OCCUPIED
    return Refusal.FULLY_BOOKED


def is_hopeless(demands: Sequence[Demand], start: int, crowd: Crowd) -> bool:
    """Whether counting alone shows that nobody who moves lets a visit in. False proves nothing.

    At some moment: follow what the visit could take, what those who have it could take instead, and so on. If
    all of it is taken then, and nobody who was met could do with fewer resources than now, it is too little
    for one more.
    """
    for demand in demands:
        wanted = crowd.resources_of(demand)
        for since, until in demand.at(start):
            moments = {since, *crowd.occupied.beginnings(since, until)}
            if any(_too_full(wanted, moment, crowd) for moment in moments):
                return True
    return False


def _too_full(wanted: int, moment: int, crowd: Crowd) -> bool:
    held = crowd.held_at(moment)
    taken = 0
    for resources in held.values():
        taken |= resources
    asked: set[int] = set()
    while not wanted & ~taken:
        met = [number for number, has in held.items() if has & wanted and number not in asked]
        if not met:
            return True
        for number in met:
            booking = crowd.booking(number)
            if booking is not None:
                needed = [each for each in booking.demands if each.covers(moment - booking.start)]
                if sum(each.fewest for each in needed) < held[number].bit_count():
                    return False
                wanted |= held[number]
                for each in needed:
                    wanted |= crowd.resources_of(each)
        asked.update(met)
    return False


@dataclass(slots=True)
class _Search:
    crowd: Crowd
    newcomer: Sequence[Item]
    steps: int
    """How many seatings may still be looked at."""
    solved: bool = False
    _placed: list[tuple[Item, Option]] = field(default_factory=list)
    _limit: int = 0
    _cut: bool = False
    """Whether a branch was left because it would have moved too many."""

    def attempt(self, limit: int) -> bool:
        """Looks for an answer that moves at most `limit`. False when a higher limit would be of no use."""
        self._limit, self._cut = limit, False
        self.solved = self._place(self.newcomer, 0)
        return self.solved or self._cut

    def choice(self) -> Choice:
        """The answer."""
        visits: dict[UUID | None, list[tuple[Seating, Spans]]] = {}
        for item, option in self._placed:
            visits.setdefault(item.booking_id, []).append((option.seating, item.times))
        newcomer, *others = (_seated(visits[each]) for each in (None, *filter(None, visits)))
        moved = tuple(
            Relocation(booking_id, *where)
            for booking_id, where in zip(filter(None, visits), others, strict=True)
        )
        everything = [each for _, occupations in (newcomer, *others) for each in occupations]
        return Choice(*newcomer, self.crowd.occupied.expired(everything), moved)

    def _place(self, pending: Sequence[Item], driven_out: int) -> bool:
        """Whether all that is pending finds seats, once `driven_out` have left theirs."""
        if not pending:
            return True
        options = [self._options(item, driven_out) for item in pending]
        number = min(range(len(pending)), key=lambda each: len(options[each]))
        item, rest = pending[number], [*pending[:number], *pending[number + 1 :]]
        for option in sorted(options[number], key=lambda each: (each.holders & ~driven_out).bit_count()):
            self._placed.append((item, option))
            displaced = self.crowd.displaced(option.holders & ~driven_out)
            if self._place([*rest, *displaced], driven_out | option.holders):
                return True
            self._placed.pop()
        return False

    def _options(self, item: Item, driven_out: int) -> list[Option]:
        """Where an item can sit beside those who are placed, without driving out too many."""
        self._spend(item.looked_at)
        kept = 0
        for placed, option in self._placed:
            if item.meets(placed):
                kept |= option.resources
        if driven_out.bit_count() == self._limit:  # nobody else may leave, so most seats are out of reach
            within = item.held_by(driven_out)
            self._cut |= len(within) < len(item.options)
            return [option for option in within if not option.resources & kept]
        found: list[Option] = []
        for option in item.options:
            if not option.resources & kept:
                left = self._limit - (driven_out | option.holders).bit_count()
                hope = self._hope(option, driven_out, left) if left >= 0 else Hope.LATER
                if hope is Hope.NOW:
                    found.append(option)
                elif hope is Hope.LATER:
                    self._cut = True
        return found

    def _hope(self, option: Option, driven_out: int, left: int) -> Hope:
        """Whether those whom an option drives out may find seats. Costs the same whatever came before."""
        leaving = option.holders & ~driven_out
        if not leaving or left > 1:
            return Hope.NOW
        if self._limit > _FEW:
            self._spend(1 + left * self.crowd.ways(leaving))
        return self.crowd.hope(leaving, driven_out | leaving, left)

    def _spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise _Exhausted


def _seated(visit: Sequence[tuple[Seating, Spans]]) -> tuple[tuple[UUID, ...], tuple[Occupation, ...]]:
    seatings, times = zip(*visit, strict=True)
    return resources_of(seatings), occupations_of(seatings, times)
