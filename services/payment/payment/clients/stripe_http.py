"""How Stripe's library reaches the network: one pooled httpx client with explicit time limits.

The library's own httpx client hands over bodies in a way that httpx has deprecated, and turns every
exception, also a defect of ours, into a connection error.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import stripe

_MOST_CONNECTIONS = 20


class StripeHttp(stripe.HTTPClient):
    """Asynchronous only. Does not follow redirects."""

    name = "httpx"

    def __init__(self, *, timeout_seconds: float) -> None:
        super().__init__()
        self._http = httpx.AsyncClient(
            timeout=timeout_seconds, limits=httpx.Limits(max_connections=_MOST_CONNECTIONS)
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One exchange. Raises APIConnectionError, which the library may retry."""
        try:
            answer = await self._http.request(method, url, headers=dict(headers), content=post_data or None)
        except httpx.HTTPError as error:
            message = type(error).__name__
            raise stripe.APIConnectionError(message, should_retry=True) from error  # type: ignore[no-untyped-call]
        return answer.content, answer.status_code, answer.headers

    async def sleep_async(self, secs: float) -> None:
        """The pause before a retry."""
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Closes the connections."""
        await self._http.aclose()
