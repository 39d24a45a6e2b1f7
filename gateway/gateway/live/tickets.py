"""Tickets that open one stream: random, used once, half a minute old at most. Redis has their hashes."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.live.errors import TicketNotValid
from gateway.live.store import PREFIX
from servicekit import telemetry
from servicekit.errors import Unavailable
from servicekit.identity import Caller, caller_of, claims_of

_BYTES = 32
_LONGEST = 64

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Authority:
    """Who opens a stream, and until when that holds."""

    caller: Caller
    until: float
    """Epoch seconds."""


class Tickets:
    """While Redis is away there are none: a stream could not say anything either."""

    def __init__(
        self, redis: "Redis | None", *, seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._seconds = seconds
        self._clock = clock

    async def issue(self, authority: Authority) -> tuple[str, float]:
        """A ticket that stands for the authority, and when it ends, in epoch seconds. Raises Unavailable."""
        ticket = base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode().rstrip("=")
        ends = self._clock() + self._seconds
        if self._redis is None:
            raise Unavailable
        try:
            await self._redis.set(_key(ticket), _written(authority), ex=self._seconds)
        except (RedisError, OSError, TimeoutError) as error:
            raise _away(error) from error
        return ticket, ends

    async def redeem(self, ticket: str) -> Authority:
        """Whom the ticket stands for; it is used up by that. Raises as `look_up` does."""
        return await self._find(ticket, "getdel")

    async def look_up(self, ticket: str) -> Authority:
        """Whom the ticket stands for; it may be used after that.

        Raises:
            TicketNotValid: there is no such ticket, or none any more.
            Unavailable: Redis does not answer.
        """
        return await self._find(ticket, "get")

    async def _find(self, ticket: str, command: Literal["get", "getdel"]) -> Authority:
        if not ticket or len(ticket) > _LONGEST:
            raise TicketNotValid
        if self._redis is None:
            raise Unavailable
        try:
            found = await getattr(self._redis, command)(_key(ticket))
        except (RedisError, OSError, TimeoutError) as error:
            raise _away(error) from error
        if found is None:
            raise TicketNotValid
        return _read(found)


def _key(ticket: str) -> str:
    return f"{PREFIX}ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


def _away(error: Exception) -> Unavailable:
    _log.warning("live_tickets_away", error=type(error).__name__)
    return Unavailable()


def _written(authority: Authority) -> bytes:
    return orjson.dumps({"until": authority.until, "caller": claims_of(authority.caller)})


def _read(raw: bytes | str) -> Authority:
    known: dict[str, Any] = orjson.loads(raw)
    return Authority(caller_of(known["caller"], issuer="gateway"), known["until"])
