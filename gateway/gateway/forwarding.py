"""One transcoded route at work: caller, policy, request, one gRPC call, answer."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from comptoir.api.v1 import policy_pb2
from gateway.api_keys import Callers
from gateway.cache.keeping import Cache
from gateway.errors import InvalidIdempotencyKey, UnsupportedMediaType
from gateway.http import JSON, Answer, Request, safe
from gateway.operator_acts import OperatorActs
from gateway.requests import RequestReader
from gateway.routes import NO_CONTENT, Route
from gateway.settings import LimitSettings
from gateway.shown import Shown
from gateway.transcoding import writer
from gateway.versions import Versions, tagged
from gateway.wrong_links import WrongLinks
from servicekit.errors import AppError, Kind
from servicekit.identity import CallerKind, Signer
from servicekit.rpc.authorization import authorize
from servicekit.rpc.client import Peer
from servicekit.rpc.metadata import IDEMPOTENCY_KEY, REQUEST_ID, USER_AGENT
from servicekit.rpc.status import Remote

IDEMPOTENCY_KEY_PATTERN = r'^(?:"(?:[!#-\[\]-~]|\\["\\]){1,255}"|[!#-~]{1,255})$'
"""A string of Structured Fields (RFC 9651 §3.3.3), as the draft wants it, or a bare token."""

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)
_ESCAPED = re.compile(r"\\(.)")
_UNPRINTABLE = re.compile(rb"[^ -~]")
_LONGEST_USER_AGENT = 256
_JSON_TYPE = re.compile(rb'application/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*', re.IGNORECASE)


class Endpoint:
    """Answers one route of the contract."""

    def __init__(
        self,
        route: Route,
        *,
        peer: Peer,
        signer: Signer,
        callers: Callers,
        limits: LimitSettings,
        wrong_links: WrongLinks,
        acts: OperatorActs,
        cache: Cache | None = None,
    ) -> None:
        self.route = route
        self._peer = peer
        self._signer = signer
        self._callers = callers
        self._limits = limits
        self._acts = acts
        self._kept = cache.of(route) if cache is not None else None
        self._wrong_links = wrong_links if route.policy.audience == policy_pb2.AUDIENCE_GUEST else None
        self._reader = RequestReader(route)
        self._versions = Versions(route)
        self._write = writer(route.response)
        for_everybody = route.policy.audience == policy_pb2.AUDIENCE_PUBLIC and route.policy.idempotent
        for_everybody &= not route.raw
        self._memo = Shown(self._json) if for_everybody and not tagged(route) else None
        self._method = peer.channel.unary_unary(
            route.rpc.path,
            request_serializer=route.rpc.request.SerializeToString,
            response_deserializer=bytes,
        )
        seconds = route.policy.cache_seconds
        cached = safe(
            [(b"content-type", JSON), (b"vary", b"authorization")],
            cache_control=b"public, max-age=%d" % seconds,
        )
        self._headers = cached if seconds else safe([(b"content-type", JSON)])

    async def __call__(self, request: Request, variables: Sequence[str]) -> Answer:
        """The answer of the service.

        Raises:
            AppError: the gateway refuses, or the service did.
            Disconnected: the client went away before its body was complete.
        """
        route = self.route
        caller = await self._callers.caller(request.headers.get(b"authorization"), request.address)
        authorize(route.policy, caller)
        if self._wrong_links is not None:
            self._wrong_links.refuse_guessing(request.address)
        metadata = [(REQUEST_ID, request.id)]
        if route.policy.rate_class == policy_pb2.RATE_CLASS_CREDENTIAL:
            metadata.append((USER_AGENT, _user_agent(request.headers.get(b"user-agent", b""))))
        if route.policy.idempotency_key and b"idempotency-key" in request.headers:
            metadata.append((IDEMPOTENCY_KEY, _idempotency_key(request.headers[b"idempotency-key"])))
        body = await self._body(request) if route.body else b""
        message = self._reader.read(variables, request.query, body)
        self._versions.expect(message, request.headers.get(b"if-match"))
        if caller.operator is not None and caller.kind is CallerKind.MEMBER:
            await self._acts.tell(caller, route.operation_id, variables, request_id=request.id)

        async def call() -> bytes:
            response: bytes = await self._peer.call_as(
                self._signer.token(self._peer.name, caller),
                self._method,
                message,
                timeout=self._limits.timeout_seconds,
                metadata=metadata,
            )
            return response

        try:
            if self._kept is not None:
                response, said = await self._kept.answer(caller, message, call)
                return self._answer(response).having(said)
            response = await call()
        except AppError as error:
            if self._wrong_links is not None and error.kind is Kind.NOT_FOUND:
                self._wrong_links.count(request.address)
            raise self._pointing_at_input(error) from None
        return self._answer(response)

    async def _body(self, request: Request) -> bytes:
        limits = self._limits
        body = await request.body(limit=limits.body_bytes, seconds=limits.body_seconds)
        if body or b"content-type" in request.headers:
            declared = request.headers.get(b"content-type", b"")
            encoded = request.headers.get(b"content-encoding", b"identity").lower() != b"identity"
            encoded |= request.headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked"
            if encoded or not _JSON_TYPE.fullmatch(declared):
                raise UnsupportedMediaType
        return body

    def _answer(self, response: bytes) -> Answer:
        if self.route.status == NO_CONTENT:
            return Answer(NO_CONTENT, safe(()))
        if self._memo is not None:
            return Answer(self.route.status, self._headers, self._memo(response))
        shown = self._shown(response)
        if self.route.raw:
            said = safe([(b"content-type", shown.content_type.encode())])
            return Answer(self.route.status, said, shown.data)
        headers = (*self._headers, *self._versions.tag(shown))
        return Answer(self.route.status, headers, orjson.dumps(self._write(shown)))

    def _json(self, response: bytes) -> bytes:
        return orjson.dumps(self._write(self._shown(response)))

    def _shown(self, response: bytes) -> Any:
        message = self.route.rpc.response.FromString(response)
        return getattr(message, self.route.response_body) if self.route.response_body else message

    def _pointing_at_input(self, error: AppError) -> AppError:
        if not error.violations:
            return error
        violations = tuple(
            type(each)(self._reader.pointer(each.pointer), each.message) for each in error.violations
        )
        return Remote(error.kind, error.reason, error.detail, violations=violations, metadata=error.metadata)


def _user_agent(value: bytes) -> str:
    """What of the header may travel as metadata. Only who opens sessions wants it, to name a device."""
    return _UNPRINTABLE.sub(b"", value[:_LONGEST_USER_AGENT]).decode("ascii")


def _idempotency_key(value: bytes) -> str:
    """The key without quotes, so that both spellings are one key. Raises InvalidIdempotencyKey."""
    text = value.decode("latin-1")
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise InvalidIdempotencyKey
    return _ESCAPED.sub(r"\1", text[1:-1]) if text.startswith('"') else text
