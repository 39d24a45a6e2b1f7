"""One route under every version. The newest costs a look at two headers; the others turn documents."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import orjson

from gateway.dated.calendar import Calendar
from gateway.dated.chain import Chain, Reply, Steps, newer, older
from gateway.errors import MalformedJson
from gateway.http import JSON, Answer, Request
from gateway.settings import LimitSettings
from gateway.transcoding import documents
from servicekit.api_versions import HEADER

_HEADER = HEADER.lower().encode()
_NO_CONTENT = 204
_OF_CONTENT = (b"content-type", b"etag")
_VARY = (b"vary", _HEADER)

Serve = Callable[[Request, Sequence[str]], Awaitable[Answer]]


class Pins(Protocol):
    """Knows who calls, and the versions that API keys are pinned to."""

    async def admitted(self, request: Request) -> object:
        """Counts the request as whoever's it is, once however often it is asked to. Raises AppError."""

    async def pinned(self, request: Request) -> str:
        """The version that its key is pinned to, nothing for what is no key; asks auth when it must."""

    def last_pinned(self, authorization: bytes) -> str:
        """The same without asking: what was known last."""


class Dated:
    """Serves one route to callers of all versions."""

    def __init__(
        self,
        serve: Serve,
        chain: Chain,
        calendar: Calendar,
        *,
        pins: Pins,
        limits: LimitSettings,
        cached: bool = False,
        counted: bool = False,
    ) -> None:
        """`counted`: requests are counted before they come here, by other means than as their caller's."""
        self._serve = serve
        self._chain = chain
        self._calendar = calendar
        self._pins = pins
        self._limits = limits
        self._cached = cached
        self._counted = counted

    async def handle(self, request: Request, variables: Sequence[str]) -> Answer:
        """The answer in the version that the request names, else that its key is pinned to, else the newest.

        Raises:
            UnknownVersion: it names none that there is.
            VersionGone: that version is no longer served.
            AppError, Disconnected: as the route does.
        """
        asked = request.headers.get(_HEADER)
        if asked is None and not request.headers.get(b"authorization"):
            return await self._serve(request, variables)
        if not self._counted:
            await self._pins.admitted(request)  # before its version is refused, or its body read to be turned
        if asked is not None:
            version = self._calendar.read(asked)
        else:
            version = self._calendar.pinned(await self._pins.pinned(request))
        if version == self._calendar.newest:
            return await self._serve(request, variables)
        self._calendar.refuse_gone(version)
        steps = self._chain.steps(version)
        if not steps:
            return await self._serve(request, variables)
        return _turned_back(await self._serve(await self._turned(request, steps), variables), steps)

    def finish(self, request: Request, answer: Answer) -> Answer:
        """The answer, be it a refusal, with what is to be said of its version."""
        headers = self._calendar.headers(self._version(request))
        if self._cached:
            headers = (*headers, _VARY)
        return replace(answer, headers=answer.headers + headers)

    def _version(self, request: Request) -> str:
        """The version that was answered; the newest where it was refused."""
        asked = request.headers.get(_HEADER)
        if asked is not None:
            return self._calendar.pinned(asked.decode("latin-1"))
        authorization = request.headers.get(b"authorization")
        return self._calendar.pinned(self._pins.last_pinned(authorization) if authorization else "")

    async def _turned(self, request: Request, steps: Steps) -> Request:
        """The request with its body as of the newest version; one that is no JSON stays, to be refused."""
        if not any(each.turns_requests for each in steps):
            return request
        limits = self._limits
        body = await request.body(limit=limits.body_bytes, seconds=limits.body_seconds)
        with contextlib.suppress(MalformedJson):
            body = orjson.dumps(newer(documents.load(body), steps)) if body else body
        headers = request.headers | {b"content-length": b"%d" % len(body)}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        return replace(request, headers=headers, receive=receive)


def _turned_back(answer: Answer, steps: Steps) -> Answer:
    if not answer.body or (b"content-type", JSON) not in answer.headers:
        return answer
    reply = older(Reply(answer.status, orjson.loads(answer.body)), steps)
    if reply.status == _NO_CONTENT:
        kept = tuple(each for each in answer.headers if each[0] not in _OF_CONTENT)
        return Answer(_NO_CONTENT, kept)
    return Answer(reply.status, answer.headers, orjson.dumps(reply.document))
