"""Who a request speaks for, and whether it may come: credentials first, then quotas. Knows no route."""

from functools import partial

from gateway.api_keys import ApiKeys
from gateway.errors import AddressNotAllowed
from gateway.http import Request
from gateway.limits import Limiter
from gateway.tokens import AccessTokens
from servicekit import api_keys
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller

_BEARER = b"bearer " + api_keys.PREFIX


class Callers:
    """Turns an Authorization header into a caller, whichever of our two kinds of credentials it carries."""

    def __init__(self, tokens: AccessTokens, keys: ApiKeys, limiter: Limiter) -> None:
        self._tokens = tokens
        self._keys = keys
        self._limiter = limiter

    async def admitted(self, request: Request) -> Caller:
        """Whoever the request speaks for; somebody anonymous when it has no credentials.

        It is counted against all their quotas by that: once, however often this is asked about one request.
        Credentials that are refused count as unvalidated ones, by their address.

        Raises:
            RateLimited: a quota is used up.
            DailyQuotaSpent: an API key made as many calls today as it may.
            AppError: as AccessTokens.caller and ApiKeys.caller do.
        """
        note = request.note
        if note.admitted is not None:
            return note.admitted
        authorization = request.headers.get(b"authorization")
        key = _api_key(authorization)
        admit = partial(self._limiter.admit_unvalidated, request)
        try:
            if key is None:
                caller = await self._tokens.caller(authorization, request.address, admit=admit)
            else:
                caller = await self._keys.caller(key, request.address, admit=admit)
        except (Unauthenticated, AddressNotAllowed):
            await admit()
            raise
        note.caller = caller
        await self._limiter.admit(request, caller)
        if key is not None:
            await self._keys.spend(key)
        note.admitted = caller
        return caller

    async def until(self, request: Request) -> float:
        """Epoch seconds until which the credentials of an admitted request hold.

        Raises:
            Unauthenticated: there are none, or they do not hold any more.
            AppError: as AccessTokens.until and ApiKeys.until do.
        """
        authorization = request.headers.get(b"authorization")
        key = _api_key(authorization)
        admit = partial(self._limiter.admit_unvalidated, request)
        if key is None:
            return await self._tokens.until(authorization, request.address, admit=admit)
        return await self._keys.until(key, request.address, admit=admit)

    async def pinned(self, request: Request) -> str:
        """The version that the request's API key is pinned to, nothing without one. Raises like ApiKeys."""
        key = _api_key(request.headers.get(b"authorization"))
        if key is None:
            return ""
        admit = partial(self._limiter.admit_unvalidated, request)
        return await self._keys.pinned(key, request.address, admit=admit)

    def last_pinned(self, authorization: bytes) -> str:
        """The same, as it was known last, without asking auth."""
        key = _api_key(authorization)
        return "" if key is None else self._keys.last_pinned(key)


def _api_key(authorization: bytes | None) -> bytes | None:
    """The API key that the header carries; None for all else."""
    if authorization is None or authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return authorization.partition(b" ")[2]
