"""Payments walked page by page while others come and go."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from payment.domain.payments import Payment
from payment.tables import PAYMENTS
from payment.usecases import payments
from testkit.paging import PLANS, WALKS, Copies, Listing, PageLost, Plan, walk

from .conftest import Till

_SINCE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def _made(sort: int, row: UUID) -> dict[str, Any]:
    created = _SINCE + timedelta(hours=sort, microseconds=sort)
    return {"created_at": created, "booking_id": row, "provider_reference": row.hex}


@dataclass(frozen=True)
class OfABooking:
    """A booking has one payment, which stays; those of other bookings come and go, and are never listed."""

    payment: UUID
    copies: Copies
    others: list[Hashable] = field(default_factory=list)

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        self.others.extend(await self.copies.add(sort, number))
        return [self.payment]

    async def remove(self, *_rows: Hashable) -> bool:
        await self.copies.remove(*self.others)
        return False

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        rows, after = await self.copies.page(size, token)
        if not {self.payment}.issuperset(rows):
            message = f"not of the booking: {rows}"
            raise PageLost(message)
        return rows, after


def _copies(till: Till, payment: Payment, *, booking_id: UUID | None) -> Copies:
    return Copies(
        lambda: till.app.db.begin(till.organization),
        PAYMENTS.c.id,
        payment.id,
        vary=_made,
        read=partial(payments.list_payments, till.app, till.organization, booking_id=booking_id),
        keys=2,
    )


async def _payments(till: Till) -> Listing:
    return _copies(till, await till.offer(), booking_id=None)


async def _of_booking(till: Till) -> Listing:
    payment = await till.offer()
    return OfABooking(payment.id, _copies(till, payment, booking_id=payment.booking_id))


LISTS = {"PaymentService.ListPayments": _payments, "PaymentService.ListPayments of a booking": _of_booking}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, till: Till) -> Listing:
    return await LISTS[request.param](till)


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Listing, plan: Plan) -> None:
    await walk(listing, plan)
