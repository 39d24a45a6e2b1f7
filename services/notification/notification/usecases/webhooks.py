"""Endpoints of partners: registered, listed, removed; and the log of what they were sent."""

import base64
import secrets
from collections.abc import Sequence
from uuid import UUID

from notification.app import App
from notification.domain.errors import TooManyWebhookEndpoints
from notification.domain.webhooks import MOST_ENDPOINTS, Delivery, Endpoint
from notification.store import deliveries as delivery_store
from notification.store import endpoints as store
from servicekit import ids
from servicekit.paging import Page

_SECRET_BYTES = 32


async def create_endpoint(
    app: App, organization: UUID, *, url: str, event_types: Sequence[str]
) -> tuple[Endpoint, str]:
    """Registers a URL. Returns the endpoint and its signing secret, which is never shown again.

    Raises:
        WebhookUrlRefused: not HTTPS, or inside a private network.
        TooManyWebhookEndpoints: the organization has as many as it may.
    """
    await app.partners.refuse(url)
    endpoint_id = ids.new()
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"
    async with app.db.begin(organization) as tx:
        if await store.count_endpoints(tx) >= MOST_ENDPOINTS:
            raise TooManyWebhookEndpoints
        endpoint = Endpoint(
            id=endpoint_id,
            organization=organization,
            url=url,
            event_types=tuple(event_types),
            sealed_secret=app.seal.close_up(secret, organization=organization, endpoint=endpoint_id),
            created_at=tx.now,
        )
        await store.insert_endpoint(tx, endpoint)
    return endpoint, secret


async def list_endpoints(app: App, organization: UUID, page: Page) -> tuple[Sequence[Endpoint], str]:
    """A page of the endpoints, oldest first, and the token of the next."""
    async with app.db.begin(organization) as tx:
        return await store.page_of_endpoints(tx, page)


async def delete_endpoint(app: App, organization: UUID, endpoint: UUID) -> None:
    """Removes an endpoint; what was still to be delivered is dropped.

    Raises:
        WebhookEndpointNotFound: there is none in this organization.
    """
    async with app.db.begin(organization) as tx:
        await store.delete_endpoint(tx, endpoint)


async def list_deliveries(
    app: App, organization: UUID, endpoint: UUID, page: Page
) -> tuple[Sequence[Delivery], str]:
    """A page of an endpoint's deliveries with their tries, newest first, and the next page's token.

    Raises:
        WebhookEndpointNotFound: there is none in this organization.
    """
    async with app.db.begin(organization) as tx:
        await store.get_endpoint(tx, endpoint)
        return await delivery_store.list_deliveries(tx, endpoint, page)
