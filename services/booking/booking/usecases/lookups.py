"""Whether many single starts can be booked. Reads one snapshot, however many starts."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain import lookups, texts
from booking.domain.calendar import FIRST_DAY
from booking.domain.lookups import Verdict, Wanted
from booking.domain.overviews import MOST_DAYS
from booking.domain.placements import PlacementsUnread
from booking.domain.snapshots import Inquiry
from booking.domain.venues import VenueRef
from booking.usecases import snapshots
from booking.usecases.availability import party_of
from booking.usecases.directory import Place, find_place
from booking.usecases.snapshots import Reading
from servicekit.errors import Busy
from servicekit.identity import Caller

_ATTEMPTS = 4
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Question:
    """A start of an offering for a party, as somebody asks for it."""

    offering_id: UUID
    start: int
    party_size: int
    area_id: UUID | None = None
    attributes: frozenset[str] = frozenset()


async def look_up(
    app: App, ref: VenueRef, questions: Sequence[Question], *, caller: Caller | None = None
) -> list[Verdict]:
    """What becomes of each start, in their order: what its service day's search shows, all at one moment.

    Raises:
        VenueNotFound, OfferingNotFound: of the venue, or of any start.
        Inconsistent: the starts are farther apart, or farther away, than a calendar reaches.
        Busy: the venue is being changed all the time.
    """
    for number, each in enumerate(questions):
        lookups.refuse_beyond_calendar(f"/items/{number}/start", each.start)
    starts = [each.start for each in questions]
    if max(starts) - min(starts) > MOST_DAYS * _DAY:
        texts.refuse("/items", f"must lie within {MOST_DAYS} days")
    place = await find_place(app, ref)
    wanted = [wanted_by(place, each, caller) for each in questions]
    slight = True
    for _ in range(_ATTEMPTS):
        plan = await snapshots.read_plan(app, place)
        inquiries = [lookups.inquiry_of(plan, each) for each in wanted]
        reading = await _read(app, place, inquiries, slight=slight)
        if reading.plan is plan:
            with suppress(PlacementsUnread):
                return [
                    lookups.verdict(
                        plan.zone, each, await reading.find(inquiry) if inquiry else None, now=reading.now
                    )
                    for each, inquiry in zip(wanted, inquiries, strict=True)
                ]
            slight = False
    raise Busy


async def _read(app: App, place: Place, inquiries: Iterable[Inquiry | None], *, slight: bool) -> Reading:
    # Where no start is any, nothing is searched, and whatever is read tells the plan and the time.
    days = [each.service_date for each in inquiries if each] or [FIRST_DAY]
    return await snapshots.read_days(app, place, min(days), max(days), slight=slight)


def wanted_by(place: Place, question: Question, caller: Caller | None) -> Wanted:
    """The same as the engine is asked: staff of the venue for what they may book themselves."""
    party = party_of(
        place, caller, question.party_size, area_id=question.area_id, attributes=question.attributes
    )
    return Wanted(question.offering_id, question.start, party)
