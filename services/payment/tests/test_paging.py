"""Payments walked page by page while others come and go."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from payment.tables import PAYMENTS
from payment.usecases import payments
from testkit.paging import PLANS, WALKS, Copies, Plan, walk

from .conftest import Till

_SINCE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def _made(sort: int, row: UUID) -> dict[str, Any]:
    created = _SINCE + timedelta(hours=sort, microseconds=sort)
    return {"created_at": created, "booking_id": row, "provider_reference": row.hex}


async def _payments(till: Till) -> Copies:
    template = await till.offer()
    return Copies(
        lambda: till.app.db.begin(till.organization),
        PAYMENTS.c.id,
        template.id,
        vary=_made,
        read=lambda page: payments.list_payments(till.app, till.organization, page, booking_id=None),
        keys=2,
    )


LISTS = {"PaymentService.ListPayments": _payments}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, till: Till) -> Copies:
    return await LISTS[request.param](till)


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Copies, plan: Plan) -> None:
    await walk(listing, plan)
