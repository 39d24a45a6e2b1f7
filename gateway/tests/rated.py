"""Gateways with quotas of their own, and what their answers say of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import http_sf
import httpx
from google.protobuf.timestamp_pb2 import Timestamp

from comptoir.auth.v1 import key_pb2
from gateway.app import open_gateway
from gateway.limits import RateSettings
from gateway.settings import Settings
from servicekit import ids
from servicekit.api_keys import ApiKeyText
from servicekit.settings import RedisSettings

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
WIDE = dict.fromkeys(RateSettings.model_fields, "1000000/60")

At = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]
Limited = Callable[..., AbstractAsyncContextManager[At]]


def limited_by(settings: Settings) -> Limited:
    """A gateway with quotas of its own, and clients of it by address. Without any: those of production."""

    @asynccontextmanager
    async def opened(*, redis: str | None = None, **rates: str) -> AsyncIterator[At]:
        chosen = RateSettings.model_validate(WIDE | rates) if rates else RateSettings()
        shared = RedisSettings.model_validate({"url": redis})
        own = settings.model_copy(update={"rates": chosen, "redis": shared})
        async with open_gateway(own, lambda: True) as edge:

            def at(address: str) -> AbstractAsyncContextManager[httpx.AsyncClient]:
                transport = httpx.ASGITransport(edge, raise_app_exceptions=True, client=(address, 4711))
                return httpx.AsyncClient(transport=transport, base_url="http://gateway")

            yield at

    return opened


def standings(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    """Policies and what is left of them, read as structured fields (RFC 9651)."""
    told: dict[str, dict[str, Any]] = {}
    for name in ("ratelimit-policy", "ratelimit"):
        items: Any = http_sf.parse(answer.headers[name].encode(), tltype="list")
        for policy, parameters in items:
            assert isinstance(policy, str)
            assert all(isinstance(each, int) and each >= 0 for each in parameters.values())
            told.setdefault(policy, {}).update(parameters)
    assert all(each.keys() == {"q", "w", "r", "t"} for each in told.values())
    return told


def refused(answer: httpx.Response, *violated: str) -> None:
    """A refusal that says all it should."""
    body = answer.json()
    assert (answer.status_code, body["status"], body["reason"]) == (429, 429, "RATE_LIMITED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["type"], body["violated-policies"]) == (QUOTA_EXCEEDED, list(violated))
    wait, told = int(answer.headers["retry-after"]), standings(answer)
    assert body["metadata"] == {"retry_after_seconds": str(wait)}
    assert wait >= 1
    for each in violated:
        assert told[each]["r"] == 0
        assert told[each]["t"] <= wait <= told[each]["w"]


def issue(backend: Any, *, seconds: int = 3600, **changes: Any) -> dict[str, str]:
    """The headers of a new key, which holds for so long."""
    text, until = ApiKeyText.make(sandbox=False).show(), Timestamp()
    until.GetCurrentTime()
    until.seconds += seconds
    backend.keys[text] = key_pb2.ExchangeKeyResponse(
        organization_id=ids.new().bytes,
        key_id=ids.new().bytes,
        permissions=["bookings.read"],
        until=until,
        **changes,
    )
    return {"Authorization": f"Bearer {text}"}
