"""Which future bookings hours or capacity do not allow any more. Reads; people act on what it finds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import texts
from booking.domain.availability import Plan
from booking.domain.blocks import Block
from booking.domain.calendar import LAST_DAY
from booking.domain.stranded import Commitment, Stranding, stranding
from booking.domain.venues import VenueRef
from booking.store import blocks as block_store
from booking.store import days as day_store
from booking.store import stranded as store
from booking.store.days import Plans, Window
from booking.store.stranded import Scope
from booking.usecases import capacity
from booking.usecases.directory import find_own_venue
from servicekit import paging
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.paging import Page

MOST_DAYS = 366
_MOST_NAMED = 500
_AT_ONCE = 50
"""How many bookings are looked at before others have their turn: some milliseconds."""
_BUFFER = timedelta(days=1)
"""No visit reaches further beyond its start and end."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """A booking that is stranded, and why."""

    commitment: Commitment
    reason: Stranding


async def list_stranded(
    app: App, organization: UUID, ref: VenueRef, first: date, last: date, *, page: Page
) -> tuple[ZoneInfo, list[Stranded], str]:
    """The venue's zone, a page of the stranded bookings of some service days by start, and the next token.

    Raises:
        VenueNotFound, InvalidPageToken
        Inconsistent: the days are upside down, or more than 366.
    """
    if not first <= last <= first + timedelta(days=MOST_DAYS):
        texts.refuse("/to", f"must not be before from, and at most {MOST_DAYS} days later")
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        found = await find_stranded(tx, venue.id, Scope(first, last), most=page.size + 1, after=_after(page))
    shown, token = found[: page.size], ""
    if len(found) > page.size:
        end = shown[-1].commitment
        token = page.next_token((end.start_at.isoformat(), str(end.booking_id)))
    return ZoneInfo(venue.time_zone), shown, token


async def after_change(
    tx: Transaction,
    venue_id: UUID,
    *,
    offering_ids: tuple[UUID, ...] = (),
    resource_ids: tuple[UUID, ...] = (),
    first: date | None = None,
    last: date | None = None,
) -> list[UUID]:
    """The bookings that stand stranded after a change in `tx`, by start. At most 500.

    Of all service days to come, all offerings and all resources, unless the change touches some only. In a
    transaction that `capacity.begin_change` began, no booking in flight is missed.
    """
    since = capacity.today(tx)
    scope = Scope(max(first or since, since), last or LAST_DAY, offering_ids, resource_ids)
    return [each.commitment.booking_id for each in await find_stranded(tx, venue_id, scope)]


async def list_live(tx: Transaction, venue_id: UUID) -> list[UUID]:
    """All live bookings that are to come, by start."""
    scope = Scope(capacity.today(tx), LAST_DAY)
    chunks = store.list_commitments(tx, venue_id, scope)
    return [each.booking_id async for chunk in chunks for each in chunk]


async def find_stranded(
    tx: Transaction,
    venue_id: UUID,
    scope: Scope,
    *,
    most: int = _MOST_NAMED,
    after: tuple[datetime, UUID] | None = None,
) -> list[Stranded]:
    """The stranded bookings of a scope as things stand in `tx`, by start: at most `most` behind `after`.

    Looks at some of them at a time: in between, others have their turn.
    """
    found: list[Stranded] = []
    plan: Plan | None = None
    async for chunk in store.list_commitments(tx, venue_id, scope, after=after):
        plan = plan or await _plan(tx, venue_id)
        blocks = await block_store.list_touching(
            tx,
            venue_id,
            datetime.fromtimestamp(chunk[0].start, UTC) - _BUFFER,
            datetime.fromtimestamp(max(each.end for each in chunk), UTC) + _BUFFER,
        )
        found += await judge(plan, chunk, blocks)
        if len(found) >= most:
            break
    return found[:most]


async def judge(plan: Plan, commitments: Sequence[Commitment], blocks: Sequence[Block]) -> list[Stranded]:
    """Those of some bookings that the plan, or a block, does not allow. Others have turns."""
    found: list[Stranded] = []
    for number, commitment in enumerate(commitments):
        if not number % _AT_ONCE:
            await asyncio.sleep(0)
        reason = stranding(plan, commitment, blocks)
        if reason is not None:
            found.append(Stranded(commitment, reason))
    return found


def _after(page: Page) -> tuple[datetime, UUID] | None:
    if page.after is None:
        return None
    try:
        return paging.moment(page.after[0]), UUID(page.after[1])
    except ValueError as error:
        raise InvalidPageToken from error


async def _plan(tx: Transaction, venue_id: UUID) -> Plan:
    """The plan as `tx` sees it. Not kept: its version may never be committed."""
    now = int(tx.now.timestamp())
    return (await day_store.read_days_in(tx, Plans(), venue_id, Window((), now, now))).plan
