"""Which quotas a request is counted against: by its caller, its address, and the account that it names."""

import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, reduce
from hashlib import blake2b
from typing import TYPE_CHECKING

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2
from gateway.client_address import place
from gateway.limits import metrics
from gateway.limits.buckets import Buckets
from gateway.limits.gcra import Charge, admits
from gateway.limits.headers import Policy, Standing
from gateway.limits.refusal import RateLimited
from gateway.limits.settings import RateSettings, quota
from gateway.transcoding import names_one_string
from servicekit.identity import Caller

if TYPE_CHECKING:
    from gateway.http import Request

AdmitSubject = Callable[["Request", Message], Awaitable[None]]


class Limiter:
    """Counts requests before they cost anything. What is refused was counted nowhere in that step."""

    def __init__(self, settings: RateSettings, buckets: Buckets) -> None:
        self._buckets = buckets
        self._anonymous = Policy("anonymous", quota(settings.anonymous))
        self._unvalidated = Policy("unvalidated", quota(settings.unvalidated))
        self._key = Policy("key", quota(settings.key))
        self._member = Policy("member", quota(settings.member))
        self._organization = Policy("organization", quota(settings.organization))
        self._login = Policy("login", quota(settings.login))
        self._reset = Policy("reset", quota(settings.reset))

    async def admit(self, request: "Request", caller: Caller) -> None:
        """Counts a request whose caller is known. Raises RateLimited."""
        await self._spend_of(request, self._of(caller, request.address))

    async def charge(self, caller: Caller) -> None:
        """Counts what a service is asked for a caller outside of any request. Raises RateLimited."""
        await self._spend(self._of(caller, caller.address))

    def _of(self, caller: Caller, address: str) -> list[tuple[Policy, str]]:
        charged: list[tuple[Policy, str]]
        who = caller.user or caller.operator
        if caller.key is not None:
            charged = [(self._key, f"key:{caller.key.hex}")]
        elif who is not None:
            charged = [(self._member, f"member:{who.hex}")]
        else:
            charged = [(self._anonymous, f"anonymous:{_of_place(address)}")]
        if caller.organization is not None:
            charged.append((self._organization, f"organization:{caller.organization.hex}"))
        return charged

    async def admit_anonymous(self, request: "Request") -> None:
        """Counts a request of somebody unknown, by the address. Raises RateLimited."""
        await self._spend_of(request, [(self._anonymous, f"anonymous:{_of_place(request.address)}")])

    async def admit_token(self, request: "Request", token: str) -> None:
        """Counts a request by its token, which a service validates each time. Raises RateLimited."""
        await self._spend_of(request, [(self._key, f"token:{_hidden(token)}")])

    async def admit_unvalidated(self, request: "Request") -> None:
        """Counts credentials that are about to be validated, or that were refused, by the address.

        One request is counted once, however often this is asked about it. Raises RateLimited.
        """
        standings = request.note.standings
        if not any(each.policy is self._unvalidated and not each.violated for each in standings):
            key = f"unvalidated:{_of_place(request.address)}"
            await self._spend_of(request, [(self._unvalidated, key)])

    def subject(self, policy: policy_pb2.Policy, request: Descriptor) -> AdmitSubject | None:
        """What counts requests by the account that they name; None when the policy names none.

        Raises:
            ValueError: the policy's `rate_subject` and class do not fit the request, or each other.
        """
        path = policy.rate_subject
        limits = {
            policy_pb2.RATE_CLASS_CREDENTIAL: self._login,
            policy_pb2.RATE_CLASS_RESET: self._reset,
        }
        limit = limits.get(policy.rate_class)
        if not path and policy.rate_class != policy_pb2.RATE_CLASS_RESET:
            return None
        if limit is None or not names_one_string(request, path):
            message = f"{request.full_name}: rate_subject {path!r} is no text of it, or has no rate class"
            raise ValueError(message)
        names = path.split(".")

        async def admit(asked: "Request", message: Message) -> None:
            account = reduce(getattr, names, message)
            if account:  # nobody is no account: the service refuses it
                key = f"{limit.name}:{_hidden(_account(str(account)), place(asked.address))}"
                await self._spend_of(asked, [(limit, key)])

        return admit

    async def _spend_of(self, request: "Request", charged: Sequence[tuple[Policy, str]]) -> None:
        try:
            request.note.standings += await self._spend(charged)
        except RateLimited as refusal:  # whoever is refused reads by what
            request.note.standings += refusal.standings
            raise

    async def _spend(self, charged: Sequence[tuple[Policy, str]]) -> list[Standing]:
        charges = [Charge(key, policy.quota) for policy, key in charged]
        levels = await self._buckets.spend(charges)
        if admits(charges, levels):
            return [
                Standing(policy, level + policy.quota.interval)
                for (policy, _), level in zip(charged, levels, strict=True)
            ]
        standings = [
            Standing(policy, level, violated=not policy.quota.fits(level))
            for (policy, _), level in zip(charged, levels, strict=True)
        ]
        for each in standings:
            if each.violated:
                metrics.REFUSED.labels(each.policy.name).inc()
        raise RateLimited(standings)


def _account(text: str) -> str:
    """One spelling for each account."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def _hidden(*parts: str) -> str:
    """Redis holds no address and no account in the clear."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def _of_place(address: str) -> str:
    return _hidden(place(address))
