"""The public keys of access tokens, fetched from auth and kept while auth is down."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from servicekit import telemetry
from servicekit.errors import AppError, Unauthenticated, Unavailable

Fetch = Callable[[], Awaitable[str]]
"""Asks auth for its JSON Web Key Set. Raises AppError."""

_MINIMUM_INTERVAL_SECONDS = 10.0
_REFRESH_SECONDS = 600.0
_RETRY_SECONDS = 2.0

_log = telemetry.logger(__name__)


class SigningKeys:
    """The newest key set that auth answered."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, OKPKey] = {}
        self._fetched_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> OKPKey:
        """The key of that id; an unknown one is asked for, at most every 10 s.

        Raises:
            Unauthenticated: there is no such key.
            Unavailable: no key was ever fetched.
        """
        if key_id not in self._keys:
            await self._refresh(at_most_every=_MINIMUM_INTERVAL_SECONDS if self._keys else _RETRY_SECONDS)
        if not self._keys:
            raise Unavailable
        if key_id not in self._keys:
            raise Unauthenticated
        return self._keys[key_id]

    async def published(self) -> bytes:
        """The key set for /.well-known/jwks.json. Raises Unavailable when none was ever fetched."""
        if not self._keys:
            await self._refresh(at_most_every=_RETRY_SECONDS)
        if not self._keys:
            raise Unavailable
        return orjson.dumps({"keys": [key.as_dict(private=False) for key in self._keys.values()]})

    async def keep_fresh(self) -> None:
        """Fetches every 10 minutes, more often until the first set is there. Ends by being cancelled."""
        while True:
            await self._refresh(at_most_every=0)
            await asyncio.sleep(_REFRESH_SECONDS if self._keys else _RETRY_SECONDS)

    async def _refresh(self, *, at_most_every: float) -> None:
        async with self._fetching:
            now = self._clock()
            if self._fetched_at is not None and now - self._fetched_at < at_most_every:
                return
            self._fetched_at = now
            try:
                self._keys = _read(await self._fetch())
            except AppError as error:
                _log.warning("signing_keys_not_fetched", reason=error.reason)
            except (ValueError, KeyError, TypeError, JoseError):
                _log.exception("signing_keys_not_understood")


def _read(text: str) -> dict[str, OKPKey]:
    """The Ed25519 keys of a set by id. Keys of other types are left out."""
    keys = [OKPKey.import_key(key) for key in orjson.loads(text)["keys"] if key.get("crv") == "Ed25519"]
    return {str(key.kid): key for key in keys}
