"""Webhook endpoints as rows."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from notification.domain.errors import WebhookEndpointNotFound
from notification.domain.webhooks import Endpoint
from notification.tables import WEBHOOK_ENDPOINTS
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.paging import Page

_e = WEBHOOK_ENDPOINTS.c
_id = sa.bindparam("endpoint", type_=sa.Uuid)

# Registrations of one organization wait for each other, so that its limit holds.
_ONE_AT_A_TIME = sa.select(
    sa.func.pg_advisory_xact_lock(
        sa.func.hashtextextended(
            sa.literal("webhook_endpoints:") + sa.bindparam("organization", type_=sa.Text), 0
        )
    )
)
_COUNT = sa.select(sa.func.count()).select_from(WEBHOOK_ENDPOINTS)
_INSERT = sa.insert(WEBHOOK_ENDPOINTS)
_GET = sa.select(WEBHOOK_ENDPOINTS).where(_e.id == _id)
# NO KEY: deliveries may be added meanwhile.
_LOCK = _GET.with_for_update(key_share=True)
_PAGES = Keyset(sa.select(WEBHOOK_ENDPOINTS), _e.id)
_LISTENING = sa.select(_e.id).where(
    sa.not_(_e.disabled),
    sa.or_(
        sa.func.cardinality(_e.event_types) == 0,
        sa.bindparam("event_type", type_=sa.Text) == sa.any_(_e.event_types),
    ),
)
_DELETE = sa.delete(WEBHOOK_ENDPOINTS).where(_e.id == _id)
_SAVE = (
    sa.update(WEBHOOK_ENDPOINTS)
    .where(_e.id == _id)
    .values(
        disabled=sa.bindparam("off", type_=sa.Boolean),
        failing_since=sa.bindparam("since", type_=sa.DateTime(timezone=True)),
    )
)


async def count_endpoints(tx: Transaction) -> int:
    """How many the organization has. Holds back other registrations of it until `tx` ends."""
    await tx.execute(_ONE_AT_A_TIME, {"organization": str(tx.organization)})
    return int((await tx.execute(_COUNT)).scalar_one())


async def insert_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Adds an endpoint."""
    await tx.execute(
        _INSERT,
        {
            "organization_id": endpoint.organization,
            "id": endpoint.id,
            "url": endpoint.url,
            "event_types": list(endpoint.event_types),
            "sealed_secret": endpoint.sealed_secret,
            "created_at": endpoint.created_at,
        },
    )


async def get_endpoint(tx: Transaction, endpoint: UUID) -> Endpoint:
    """An endpoint.

    Raises:
        WebhookEndpointNotFound: there is none in this organization.
    """
    row = (await tx.execute(_GET, {"endpoint": endpoint})).mappings().one_or_none()
    if row is None:
        raise WebhookEndpointNotFound
    return _endpoint(row)


async def lock_endpoint(tx: Transaction, endpoint: UUID) -> Endpoint | None:
    """An endpoint that nobody else changes until `tx` ends, if it still exists."""
    row = (await tx.execute(_LOCK, {"endpoint": endpoint})).mappings().one_or_none()
    return _endpoint(row) if row else None


async def page_of_endpoints(tx: Transaction, page: Page) -> tuple[Sequence[Endpoint], str]:
    """A page of the organization's, oldest first, and the token of the next."""
    rows, token = await _PAGES.read(tx, page, {})
    return [_endpoint(row) for row in rows], token


async def list_listening(tx: Transaction, event_type: str) -> Sequence[UUID]:
    """The endpoints that want events of a type."""
    return list((await tx.execute(_LISTENING, {"event_type": event_type})).scalars())


async def delete_endpoint(tx: Transaction, endpoint: UUID) -> None:
    """Removes an endpoint with its deliveries.

    Raises:
        WebhookEndpointNotFound: there is none in this organization.
    """
    if not (await tx.execute(_DELETE, {"endpoint": endpoint})).rowcount:
        raise WebhookEndpointNotFound


async def save_endpoint(
    tx: Transaction, endpoint: UUID, *, disabled: bool, failing_since: datetime | None
) -> None:
    """Stores how an endpoint does."""
    await tx.execute(_SAVE, {"endpoint": endpoint, "off": disabled, "since": failing_since})


def _endpoint(row: sa.RowMapping) -> Endpoint:
    return Endpoint(
        id=row["id"],
        organization=row["organization_id"],
        url=row["url"],
        event_types=tuple(row["event_types"]),
        sealed_secret=row["sealed_secret"],
        created_at=row["created_at"],
        disabled=row["disabled"],
        failing_since=row["failing_since"],
    )
