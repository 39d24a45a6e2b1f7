"""Moving and cancelling, by staff and by the link of the mail."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import (
    Actor,
    ActorKind,
    Booking,
    BookingNotCancellable,
    BookingNotFound,
    BookingNotMovable,
    CancelledBy,
    ManageTokenNotFound,
    Status,
    token_hash,
)
from booking.domain.refusals import NoTableForParty, SlotClosed, SlotTaken, SlotTooSoon
from booking.tables import BOOKINGS, MANAGE_TOKENS, SERVICE_DAYS
from booking.usecases import bookings, changes, links
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.errors import AppError
from servicekit.money import Money
from testkit import outbox

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())


async def move(house: House, made: Made, start: int) -> Booking:
    return await changes.move_booking(
        house.app, house.organization, made.booking.id, Move(start), actor=STAFF
    )


async def cancel(house: House, made: Made, by: CancelledBy = CancelledBy.VENUE) -> Booking:
    return await changes.cancel_booking(house.app, house.organization, made.booking.id, by=by, actor=STAFF)


async def age(house: House, made: Made, **columns: object) -> None:
    """Changes the row of a booking behind everybody's back."""
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == made.booking.id).values(**columns))


async def versions(house: House) -> dict[str, int]:
    async with house.app.db.begin(house.organization) as tx:
        rows = await tx.execute(sa.select(SERVICE_DAYS.c.service_date, SERVICE_DAYS.c.version))
        return {row.service_date.isoformat(): row.version for row in rows}


async def test_a_move_takes_the_new_time_and_frees_the_old_one(house: House) -> None:
    made = await house.book(4)
    moved = await move(house, made, house.start(21, days=9))
    assert (moved.status, moved.version) == (Status.CONFIRMED, 2)
    assert moved.service_date == house.day(9)
    assert moved.end - moved.start == timedelta(minutes=120)
    assert [(each, start) for each, start, _ in await house.occupied()] == [
        (moved.resource_ids[0], moved.start)
    ]
    assert await bookings.get_booking(house.app, house.organization, moved.id) == moved
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingMoved)
    assert event.previous_start.epoch_seconds == house.start()
    assert event.booking.start.epoch_seconds == house.start(21, days=9)
    assert await house.history(moved.id) == [("confirmed", "guest"), ("moved", "member")]
    assert await versions(house) == {house.day(7).isoformat(): 2, house.day(9).isoformat(): 1}


async def test_a_booking_may_move_onto_its_own_time(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    made = await house.book()
    moved = await move(house, made, house.start(19, 30))
    assert moved.start - made.booking.start == timedelta(minutes=30)
    assert len(await house.occupied()) == 1


async def test_a_move_to_where_it_is_changes_nothing(house: House) -> None:
    made = await house.book()
    assert await move(house, made, house.start()) == made.booking
    assert len(await house.history(made.booking.id)) == 1


async def test_a_refused_move_leaves_everything_as_it_was(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    made = await house.book()
    await house.book(2, house.start(21))
    before = await house.occupied()
    wrong: list[tuple[int, type[AppError]]] = [
        (house.start(21), SlotTaken),
        (house.start(20, 15), SlotTaken),
        (house.start(18), SlotClosed),
        (house.start(days=-3), SlotTooSoon),
        (0, SlotTooSoon),
    ]
    for start, refusal in wrong:
        with pytest.raises(refusal):
            await move(house, made, start)
    assert await house.occupied() == before
    assert await bookings.get_booking(app, house.organization, made.booking.id) == made.booking


async def test_a_hold_that_moves_keeps_its_deadline(house: House) -> None:
    made = await house.book(6)
    moved = await move(house, made, house.start(21))
    assert (moved.status, moved.hold_expires_at) == (Status.HELD, made.booking.hold_expires_at)
    await house.run_out(made)
    with pytest.raises(BookingNotMovable):
        await move(house, made, house.start(20))
    assert (await house.book(6, house.start(21))).booking.resource_ids == moved.resource_ids


async def test_a_move_makes_room_from_expired_holds(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 6, 8),), joined=())
    stale = await house.book(6, house.start(21))
    made = await house.book(6, house.start(days=8))
    await house.run_out(stale)
    moved = await move(house, made, house.start(21))
    assert moved.resource_ids == stale.booking.resource_ids
    assert await house.history(stale.booking.id) == [("held", "guest"), ("expired", "clock")]


async def test_a_party_too_large_for_what_is_left_of_the_offering_cannot_move(house: House) -> None:
    made = await house.book(2)
    await age(house, made, party_size=50)
    with pytest.raises(NoTableForParty):
        await move(house, made, house.start(21))


async def test_the_venue_cancels_and_gives_everything_back(house: House) -> None:
    made = await house.book(6)
    await age(house, made, status="confirmed", hold_expires_at=None, deposit_paid_at=datetime.now(UTC))
    cancelled = await cancel(house, made)
    assert (cancelled.status, cancelled.cancelled_by) == (Status.CANCELLED, CancelledBy.VENUE)
    assert await house.occupied() == []
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingCancelled)
    assert (event.refund_due.amount, event.refund_due.currency) == (6000, "EUR")
    assert event.booking.resource_ids == []
    await house.book(6)


async def test_a_cancellation_is_answered_alike_however_often_it_is_asked(house: House) -> None:
    made = await house.book()
    first = await cancel(house, made)
    assert await cancel(house, made, CancelledBy.GUEST) == first
    assert len(await house.history(made.booking.id)) == 2


async def test_an_unpaid_deposit_is_not_refunded(house: House) -> None:
    await cancel(house, await house.book(6))
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingCancelled)
    assert not event.HasField("refund_due")


async def test_what_has_begun_is_neither_moved_nor_cancelled(house: House) -> None:
    made = await house.book()
    now = datetime.now(UTC)
    await age(house, made, start_at=now - timedelta(minutes=1), end_at=now + timedelta(hours=1))
    with pytest.raises(BookingNotMovable):
        await move(house, made, house.start(21))
    with pytest.raises(BookingNotCancellable):
        await cancel(house, made)


async def test_what_is_cancelled_or_expired_is_not_moved(house: House) -> None:
    cancelled, expired = await house.book(), await house.book(6)
    await cancel(house, cancelled)
    await house.run_out(expired)
    for made in (cancelled, expired):
        with pytest.raises(BookingNotMovable):
            await move(house, made, house.start(21))
    with pytest.raises(BookingNotCancellable):
        await cancel(house, expired)


async def test_another_tenant_changes_nothing(house: House) -> None:
    made = await house.book()
    with pytest.raises(BookingNotFound):
        await changes.move_booking(house.app, ids.new(), made.booking.id, Move(house.start(21)), actor=STAFF)
    with pytest.raises(BookingNotFound):
        await changes.cancel_booking(house.app, ids.new(), made.booking.id, by=CancelledBy.VENUE, actor=STAFF)


async def test_a_guest_sees_moves_and_cancels_by_the_link_alone(house: House) -> None:
    made = await house.book()
    managed = await links.get_managed_booking(house.app, made.manage_token)
    assert (managed.booking, managed.venue.name) == (made.booking, "Chez Paulette")
    assert managed.refund_if_cancelled is None
    moved = await links.move_managed_booking(house.app, made.manage_token, Move(house.start(20)))
    assert moved.version == 2
    cancelled = await links.cancel_managed_booking(house.app, made.manage_token)
    assert cancelled.cancelled_by is CancelledBy.GUEST
    assert [who for _, who in await house.history(moved.id)] == ["guest", "guest", "guest"]


@pytest.mark.parametrize(("hours", "refund"), [(25, 6000), (23, 0)])
async def test_the_link_shows_what_cancelling_gives_back_and_gives_it(
    house: House, hours: int, refund: int
) -> None:
    made = await house.book(6)
    start = datetime.now(UTC) + timedelta(hours=hours)
    await age(
        house,
        made,
        status="confirmed",
        hold_expires_at=None,
        deposit_paid_at=datetime.now(UTC),
        start_at=start,
        end_at=start + timedelta(hours=2),
    )
    managed = await links.get_managed_booking(house.app, made.manage_token)
    assert managed.refund_if_cancelled == Money(refund, "EUR")
    await links.cancel_managed_booking(house.app, made.manage_token)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingCancelled)
    assert event.refund_due.amount == refund
    assert event.HasField("refund_due") is (refund > 0)


async def test_a_wrong_or_tampered_link_opens_nothing(house: House) -> None:
    token = (await house.book()).manage_token
    flipped = ("A" if token[0] != "A" else "B") + token[1:]
    for wrong in (flipped, token + "A", token[:-1], "", "é\x00", ids.show("bkg", ids.new())):
        with pytest.raises(ManageTokenNotFound):
            await links.get_managed_booking(house.app, wrong)
        with pytest.raises(ManageTokenNotFound):
            await links.cancel_managed_booking(house.app, wrong)


async def test_a_link_dies_thirty_days_after_the_end(house: House) -> None:
    made = await house.book()
    end = datetime.now(UTC) - timedelta(days=30)
    await age(house, made, start_at=end - timedelta(hours=2), end_at=end + timedelta(minutes=1))
    assert (await links.get_managed_booking(house.app, made.manage_token)).booking.end > end
    await age(house, made, start_at=end - timedelta(hours=2), end_at=end)
    for use in (links.get_managed_booking, links.cancel_managed_booking, links.resolve_manage_token):
        with pytest.raises(ManageTokenNotFound):
            await use(house.app, made.manage_token)


async def test_a_described_booking_may_come_with_a_further_link(house: House) -> None:
    made = await house.book()
    described = await links.describe_booking(
        house.app, house.organization, made.booking.id, issue_manage_token=True
    )
    assert (described.offering_name, described.venue.id) == ("Dinner", house.venue_id)
    for token in (made.manage_token, described.manage_token):
        assert await links.resolve_manage_token(house.app, token) == (house.organization, made.booking)
    plain = await links.describe_booking(
        house.app, house.organization, made.booking.id, issue_manage_token=False
    )
    assert plain.manage_token == ""
    async with house.app.db.begin(house.organization) as tx:
        hashes = set((await tx.execute(sa.select(MANAGE_TOKENS.c.token_hash))).scalars())
    assert hashes == {token_hash(made.manage_token), token_hash(described.manage_token)}
    with pytest.raises(BookingNotFound):
        await links.describe_booking(house.app, ids.new(), made.booking.id, issue_manage_token=True)
