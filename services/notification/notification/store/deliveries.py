"""Webhook deliveries and their tries, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from notification.domain.webhooks import Attempt, Delivery, DeliveryStatus
from notification.tables import WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.paging import Page

_d = WEBHOOK_DELIVERIES.c
_a = WEBHOOK_ATTEMPTS.c
_id = sa.bindparam("delivery", type_=sa.Uuid)
_moment = sa.DateTime(timezone=True)

_INSERT = insert(WEBHOOK_DELIVERIES).on_conflict_do_nothing(constraint="webhook_deliveries_once")
_FIND_ENDPOINT = sa.select(_d.endpoint_id).where(_d.id == _id)
_LOCK = (
    sa.select(_d.id, _d.event_type, _d.body, _d.status, _d.attempts, _d.in_flight_since)
    .where(_d.id == _id)
    .with_for_update()
)
_IN_FLIGHT = (
    sa.select(sa.func.count())
    .select_from(WEBHOOK_DELIVERIES)
    .where(
        _d.endpoint_id == sa.bindparam("endpoint", type_=sa.Uuid),
        _d.in_flight_since > sa.bindparam("lately", type_=_moment),
        _d.id != _id,
    )
)
_START = (
    sa.update(WEBHOOK_DELIVERIES)
    .where(_d.id == _id)
    .values(in_flight_since=sa.bindparam("started", type_=_moment), attempts=_d.attempts + 1)
)
_SETTLE = (
    sa.update(WEBHOOK_DELIVERIES)
    .where(_d.id == _id)
    .values(
        status=sa.bindparam("to", type_=sa.Text),
        next_attempt_at=sa.bindparam("next", type_=_moment),
        in_flight_since=None,
    )
)
_LOG = insert(WEBHOOK_ATTEMPTS).on_conflict_do_nothing()
_PAGE = (
    sa.select(_d.id, _d.endpoint_id, _d.event_type, _d.status, _d.next_attempt_at)
    .where(
        _d.endpoint_id == sa.bindparam("endpoint", type_=sa.Uuid),
        _d.id < sa.bindparam("after", type_=sa.Uuid),
    )
    .order_by(_d.id.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_ATTEMPTS = (
    sa.select(WEBHOOK_ATTEMPTS)
    .where(_a.delivery_id.in_(sa.bindparam("deliveries", type_=sa.Uuid, expanding=True)))
    .order_by(_a.delivery_id, _a.number)
)
_LAST = UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Locked:
    """A delivery that nobody else changes until the transaction ends."""

    id: UUID
    event_type: str
    body: bytes
    status: DeliveryStatus
    attempts: int
    in_flight_since: datetime | None


async def insert_delivery(
    tx: Transaction, delivery: UUID, *, endpoint: UUID, event: UUID, event_type: str, body: bytes
) -> bool:
    """Adds a delivery that is due now. False when the endpoint has one of that event."""
    row = {
        "organization_id": tx.organization,
        "id": delivery,
        "endpoint_id": endpoint,
        "event_id": event,
        "event_type": event_type,
        "body": body,
        "status": DeliveryStatus.PENDING.value,
        "next_attempt_at": tx.now,
    }
    return bool((await tx.execute(_INSERT, row)).rowcount)


async def find_endpoint(tx: Transaction, delivery: UUID) -> UUID | None:
    """The endpoint of a delivery; None when both are gone."""
    found: UUID | None = (await tx.execute(_FIND_ENDPOINT, {"delivery": delivery})).scalar_one_or_none()
    return found


async def lock_delivery(tx: Transaction, delivery: UUID) -> Locked | None:
    """Locks a delivery, if it still exists. Lock its endpoint first."""
    row = (await tx.execute(_LOCK, {"delivery": delivery})).one_or_none()
    if row is None:
        return None
    return Locked(
        row.id, row.event_type, row.body, DeliveryStatus(row.status), row.attempts, row.in_flight_since
    )


async def count_in_flight(tx: Transaction, endpoint: UUID, *, besides: UUID, lease: timedelta) -> int:
    """How many other tries of an endpoint have begun within `lease` and not ended."""
    values = {"endpoint": endpoint, "delivery": besides, "lately": tx.now - lease}
    return int((await tx.execute(_IN_FLIGHT, values)).scalar_one())


async def start_attempt(tx: Transaction, delivery: UUID) -> None:
    """Marks that a try begins."""
    await tx.execute(_START, {"delivery": delivery, "started": tx.now})


async def log_attempt(tx: Transaction, delivery: UUID, number: int, attempt: Attempt) -> None:
    """Adds how a try went to the log."""
    await tx.execute(
        _LOG,
        {
            "organization_id": tx.organization,
            "delivery_id": delivery,
            "number": number,
            "attempted_at": attempt.attempted_at,
            "response_status": attempt.response_status,
            "error": attempt.error,
        },
    )


async def settle(
    tx: Transaction, delivery: UUID, status: DeliveryStatus, *, next_attempt_at: datetime | None = None
) -> None:
    """Stores where a delivery stands after a try."""
    await tx.execute(_SETTLE, {"delivery": delivery, "to": status.value, "next": next_attempt_at})


async def list_deliveries(tx: Transaction, endpoint: UUID, page: Page) -> tuple[Sequence[Delivery], str]:
    """A page, newest first, with the token of the next one (empty on the last).

    Raises:
        InvalidPageToken: the token was tampered with.
    """
    try:
        after = UUID(page.after[0]) if page.after else _LAST
    except ValueError as error:
        raise InvalidPageToken from error
    values = {"endpoint": endpoint, "after": after, "size": page.size + 1}
    rows = (await tx.execute(_PAGE, values)).all()
    shown = rows[: page.size]
    attempts: dict[UUID, list[Attempt]] = {row.id: [] for row in shown}
    for each in await tx.execute(_ATTEMPTS, {"deliveries": list(attempts)}):
        attempts[each.delivery_id].append(Attempt(each.attempted_at, each.response_status, each.error))
    deliveries = [
        Delivery(
            row.id,
            row.endpoint_id,
            row.event_type,
            DeliveryStatus(row.status),
            attempts[row.id],
            row.next_attempt_at,
        )
        for row in shown
    ]
    token = page.next_token([str(shown[-1].id)]) if len(rows) > page.size else ""
    return deliveries, token
