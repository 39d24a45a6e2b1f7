"""Which answers are kept, under which key and tags. What a caller sends besides the request plays no part.

An answer is found by its operation and its request as the gateway has read it: not by path, query or headers,
which others could word so that the wrong people get it.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message
from prometheus_client import Counter

from comptoir.api.v1 import policy_pb2
from gateway.cache.store import Look, Store
from gateway.cache.venues import VenueNames
from gateway.http import Header
from gateway.routes import ContractBroken, Route
from gateway.transcoding import names_one_string
from servicekit.identity import Caller, CallerKind

Call = Callable[[], Awaitable[bytes]]
Resolve = Callable[[str], Awaitable[str | None]]

ANSWERS = Counter(
    "comptoir_edge_cache_answers_total",
    "Answers that may be kept, by how they were had.",
    ["route", "outcome"],
)

_HEADER: Final = b"cache-status"
_FORMAT: Final = b"1"
"""Changes when what is kept under a key does."""
_LONGEST_SECONDS: Final = 60
"""Names of tags live longer (store)."""
_FIELD: Final = re.compile(r"\{([a-z_]+)\}")
_PLAIN: Final = re.compile(r"[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}|\d{4}-\d\d-\d\d")
"""A typed id or a day: what cannot be said in two ways."""


class Kept:
    """The kept answers of one route. Only those to callers whom nobody knows; all others go past it."""

    def __init__(self, route: Route, store: Store, names: Mapping[str, Resolve]) -> None:
        """`names`: fields that may hold a name in place of an id, and who knows the id then.

        Raises:
            ContractBroken: the route's answers cannot be kept.
        """
        policy = route.policy
        self._tags = [_FIELD.split(each) for each in policy.cache_tags]
        asked = {name for parts in self._tags for name in parts[1::2]}
        strings = all(names_one_string(route.request, name) for name in asked)
        if not may_be_kept(route) or not asked or not strings:
            raise ContractBroken(f"{route.rpc.path}: its answers cannot be kept at the edge")
        self._asked = sorted(asked)
        self._store = store
        self._names = names
        self._route = route.operation_id
        self._seconds = policy.edge_seconds
        self._filling: dict[tuple[str, bytes], asyncio.Task[tuple[bytes, bool]]] = {}

    async def answer(self, caller: Caller, message: Message, call: Call) -> tuple[bytes, Header]:
        """What the service answers, or has answered before, and the header that says which (RFC 9211).

        Raises what `call` raises; a refusal is not kept.
        """
        tags = await self._tags_of(message) if caller.kind is CallerKind.ANONYMOUS else None
        if tags is None:
            return await call(), self._said("bypass")
        key = self._key(message)
        look = await self._store.look(key, tags, seconds=self._seconds)
        if look is None:
            return await call(), self._said("bypass")
        if look.body is not None:
            return look.body, self._said("hit")
        # Whoever finds the same names of tags may share: what is asked for now is as new as this request.
        filling = self._filling.get((key, look.seal))
        collapsed = filling is not None
        filling = filling or self._begin(key, look, call)
        body, stored = await asyncio.shield(filling)
        return body, self._said("stale" if look.stale else "miss", stored=stored, collapsed=collapsed)

    def _begin(self, key: str, look: Look, call: Call) -> "asyncio.Task[tuple[bytes, bool]]":
        """In a task of its own: others wait for it, whatever becomes of whoever asked first."""

        def end(task: "asyncio.Task[tuple[bytes, bool]]") -> None:
            del self._filling[key, look.seal]
            if not task.cancelled():
                task.exception()  # told to those who wait; perhaps nobody does any more

        filling = asyncio.create_task(self._fill(key, look, call))
        self._filling[key, look.seal] = filling
        filling.add_done_callback(end)
        return filling

    async def _fill(self, key: str, look: Look, call: Call) -> tuple[bytes, bool]:
        body = await call()
        return body, await self._store.keep(key, look, body, seconds=self._seconds)

    async def _tags_of(self, message: Any) -> list[str] | None:
        """The tags of a request's answer; None when it has a field that says nothing plain."""
        values: dict[str, str] = {}
        for name in self._asked:
            value: str | None = getattr(message, name)
            if not _PLAIN.fullmatch(value or ""):
                resolve = self._names.get(name)
                value = await resolve(value) if resolve is not None and value else None
            if not value:
                return None
            values[name] = value
        return [
            "".join(values[part] if number % 2 else part for number, part in enumerate(parts))
            for parts in self._tags
        ]

    def _key(self, message: Message) -> str:
        asked = message.SerializeToString(deterministic=True)
        return hashlib.sha256(b"\0".join((_FORMAT, self._route.encode(), asked))).hexdigest()

    def _said(self, outcome: str, *, stored: bool = False, collapsed: bool = False) -> Header:
        ANSWERS.labels(self._route, outcome).inc()
        said = "comptoir; hit" if outcome == "hit" else f"comptoir; fwd={outcome}"
        return _HEADER, (said + "; stored" * stored + "; collapsed" * collapsed).encode()


def may_be_kept(route: Route) -> bool:
    """Whether a route's policy says that its answers are the same for everybody, and for long enough."""
    policy = route.policy
    return (
        0 < policy.edge_seconds <= _LONGEST_SECONDS
        and policy.audience == policy_pb2.AUDIENCE_PUBLIC
        and policy.rate_class == policy_pb2.RATE_CLASS_READ
        and policy.idempotent
        and route.method == "GET"
    )


class Cache:
    """Makes what keeps the answers of each route that wants it."""

    def __init__(self, store: Store, venues: VenueNames) -> None:
        self._store = store
        self._names = {"venue_id": venues.id_of}

    def of(self, route: Route) -> Kept | None:
        """None for a route whose answers are not kept. Raises ContractBroken."""
        return Kept(route, self._store, self._names) if route.policy.edge_seconds else None

    async def close(self) -> None:
        """Closes the connections to Redis."""
        await self._store.close()
