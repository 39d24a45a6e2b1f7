"""API keys: exchanged at auth, believed for half a minute, counted against their quota. Never keeps a key."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from gateway.errors import AddressNotAllowed, TooManyUnknownKeys
from gateway.quotas import DailyQuotas
from gateway.revocations import Revocations
from gateway.tokens import Admit, everybody
from servicekit import api_keys
from servicekit.errors import RETRY_AFTER, Unauthenticated
from servicekit.identity import Caller

BELIEVED_SECONDS = 30.0
UNKNOWN_PER_MINUTE = 20
"""Keys that auth does not know, from one address; further ones wait, so that guessing never gets to auth."""

_CACHE_SIZE = 10_000
_WINDOW_SECONDS = 60.0

_Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key speaks for, as auth told it."""

    caller: Caller
    until: float
    """Epoch seconds after which its secret holds no more."""
    networks: tuple[_Network, ...] = ()
    daily_quota: int = 0
    pinned_version: str = ""
    """The version of the API for calls that name none."""

    def admits(self, address: str) -> bool:
        """Whether the key may be used from there. An IPv4 address within IPv6 counts as what it is."""
        if not self.networks:
            return True
        try:
            place = ip_address(address)
        except ValueError:
            return False
        if isinstance(place, IPv6Address) and place.ipv4_mapped:
            place = place.ipv4_mapped
        return any(place in network for network in self.networks)


@dataclass(slots=True)
class _Guesses:
    """What one address tried in one minute that auth does not know, or may turn out not to."""

    ends: float
    count: int = 0


Exchange = Callable[[str], Awaitable[Holder]]
"""Asks auth whom a key speaks for. Raises Unauthenticated for one that holds no more, or Unavailable."""


class ApiKeys:
    """Turns API keys into callers. What auth answered holds for 30 s, that a key is unknown as well."""

    def __init__(
        self,
        exchange: Exchange,
        revocations: Revocations,
        quotas: DailyQuotas,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._exchange = exchange
        self._revocations = revocations
        self._quotas = quotas
        self._clock = clock
        self._known: dict[bytes, tuple[float, Holder | None]] = {}
        self._asking: dict[bytes, asyncio.Task[Holder | None]] = {}
        self._guesses: dict[str, _Guesses] = {}

    async def caller(self, text: bytes, address: str, *, admit: Admit = everybody) -> Caller:
        """Whoever the key speaks for. `admit` is asked first about a key that is not known to be good.

        Raises:
            Unauthenticated: it is no key, is unknown, has expired, or was revoked.
            AddressNotAllowed: it may not be used from this address.
            TooManyUnknownKeys: too many that auth does not know came from this address in the last minute.
            AppError: `admit` refused.
            Unavailable: auth did not answer, and did not within the last half minute.
        """
        holder = await self._holder(text, address, admit)
        if holder is None or holder.until <= self._clock():
            raise Unauthenticated
        self._revocations.refuse(holder.caller)
        if not holder.admits(address):
            raise AddressNotAllowed
        return replace(holder.caller, address=address)

    async def spend(self, text: bytes) -> None:
        """Counts a call with a key that `caller` took against its daily quota, as it was known last.

        Raises:
            DailyQuotaSpent: it made as many calls today as it may.
        """
        cached = self._known.get(hashlib.sha256(text).digest())
        holder = cached[1] if cached else None
        if holder is not None and holder.daily_quota and holder.caller.key is not None:
            await self._quotas.spend(holder.caller.key, most=holder.daily_quota)

    async def until(self, text: bytes, address: str, *, admit: Admit = everybody) -> float:
        """Epoch seconds until which the key holds. Raises like `caller`."""
        holder = await self._holder(text, address, admit)
        if holder is None:
            raise Unauthenticated
        return holder.until

    async def pinned(self, text: bytes, address: str, *, admit: Admit = everybody) -> str:
        """The version of the API that a key is pinned to; nothing for a key that nobody has.

        Raises:
            TooManyUnknownKeys, Unavailable, AppError: as `caller` does.
        """
        cached = self._known.get(hashlib.sha256(text).digest())
        if cached is not None and cached[0] > self._clock():
            holder = cached[1]
        else:
            holder = await self._holder(text, address, admit)
        return holder.pinned_version if holder else ""

    def last_pinned(self, text: bytes) -> str:
        """The same, as it was known last, without asking."""
        cached = self._known.get(hashlib.sha256(text).digest())
        return cached[1].pinned_version if cached and cached[1] else ""

    async def _holder(self, text: bytes, address: str, admit: Admit) -> Holder | None:
        shown = text.decode("latin-1")
        hashed = hashlib.sha256(text).digest()
        now = self._clock()
        cached = self._known.get(hashed)
        if cached is not None and cached[0] > now and cached[1] is not None:
            return cached[1]
        await admit()
        if api_keys.parse(shown) is None:
            return None
        cached = self._known.get(hashed)
        if cached is not None and cached[0] > now:
            return cached[1]
        asking = self._asking.get(hashed)
        if asking is None:
            good = cached is not None and cached[1] is not None
            guess = None if good else self._count(address, now)
            asking = asyncio.create_task(self._ask(hashed, shown, guess))
            self._asking[hashed] = asking
            asking.add_done_callback(lambda _: self._asking.pop(hashed, None))
        return await asyncio.shield(asking)

    async def _ask(self, hashed: bytes, shown: str, guess: _Guesses | None) -> Holder | None:
        """One question for all who wait for the same key. `guess`: where it was counted, if it was."""
        holder: Holder | None = None
        try:
            holder = await self._exchange(shown)
        except Unauthenticated:
            guess = None  # it was one, and stays counted
        finally:
            if guess is not None:
                guess.count -= 1
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[hashed] = (self._clock() + BELIEVED_SECONDS, holder)
        return holder

    def _count(self, address: str, now: float) -> _Guesses:
        """Counts a key that may turn out unknown, before auth is asked: guesses may come in parallel.

        If it does not, that is taken back from what this answers, and so from no other minute.
        """
        guesses = self._guesses.get(address)
        if guesses is None or guesses.ends <= now:
            guesses = _Guesses(now + _WINDOW_SECONDS)
        if guesses.count >= UNKNOWN_PER_MINUTE:
            raise TooManyUnknownKeys(metadata={RETRY_AFTER: str(int(guesses.ends - now) + 1)})
        if len(self._guesses) >= _CACHE_SIZE:
            self._guesses.clear()
        guesses.count += 1
        self._guesses[address] = guesses
        return guesses


def networks(shown: list[str]) -> tuple[_Network, ...]:
    """Networks as auth tells them."""
    return tuple(ip_network(each) for each in shown)
