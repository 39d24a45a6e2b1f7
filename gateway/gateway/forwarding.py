"""One transcoded route at work: caller, policy, request, one gRPC call, answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2
from gateway.admission import Admission
from gateway.cache.keeping import Cache
from gateway.callers import Callers
from gateway.errors import InvalidIdempotencyKey, UnsupportedMediaType
from gateway.http import JSON, Answer, Request, safe
from gateway.limits import Limiter
from gateway.operator_acts import OperatorActs
from gateway.page_tokens import PageTokens
from gateway.requests import RequestReader
from gateway.routes import NO_CONTENT, Route
from gateway.settings import LimitSettings
from gateway.shown import Shown
from gateway.transcoding import writer
from gateway.versions import Versions, tagged
from gateway.wrong_links import WrongLinks
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller, CallerKind, Signer
from servicekit.rpc.authorization import authorize
from servicekit.rpc.client import Peer
from servicekit.rpc.metadata import IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, REQUEST_ID, USER_AGENT
from servicekit.rpc.status import Remote

IDEMPOTENCY_KEY_PATTERN = r'^(?:"(?:[!#-\[\]-~]|\\["\\]){1,255}"|[!#-~]{1,255})$'
"""A string of Structured Fields (RFC 9651 §3.3.3), as the draft wants it, or a bare token."""

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)
_ESCAPED = re.compile(r"\\(.)")
_REPLAYED = (b"idempotency-replayed", b"true")
_UNPRINTABLE = re.compile(rb"[^ -~]")
_LONGEST_USER_AGENT = 256
_CHARSET = rb'(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*'
_JSON_TYPE = re.compile(rb"application/json" + _CHARSET, re.IGNORECASE)
_PATCH_TYPE = re.compile(rb"application/(?:merge-patch\+)?json" + _CHARSET, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shared:
    """What all endpoints work with."""

    signer: Signer
    callers: Callers
    limits: LimitSettings
    limiter: Limiter
    wrong_links: WrongLinks
    acts: OperatorActs
    admission: Admission
    page_tokens: PageTokens
    cache: Cache | None


class Endpoint:
    """Answers one route of the contract."""

    def __init__(self, route: Route, peer: Peer, shared: Shared) -> None:
        self.route = route
        self._peer = peer
        self._shared = shared
        self._admit_subject = shared.limiter.subject(route.policy, route.request)
        self._kept = shared.cache.of(route) if shared.cache is not None else None
        by_link = route.policy.audience == policy_pb2.AUDIENCE_GUEST
        self._wrong_links = shared.wrong_links if by_link else None
        self._reader = RequestReader(route)
        self._pages = shared.page_tokens.of_route(route)
        self._versions = Versions(route)
        self._body_type = _PATCH_TYPE if route.method == "PATCH" else _JSON_TYPE
        self._write = writer(route.response)
        for_everybody = route.policy.audience == policy_pb2.AUDIENCE_PUBLIC and route.policy.idempotent
        # What is shown of a page depends on who asked, and for what.
        for_everybody &= not route.raw and self._pages is None
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
        shared = self._shared
        caller = await shared.callers.admitted(request)
        authorize(self.route.policy, caller)
        if self._wrong_links is not None:
            self._wrong_links.refuse_guessing(request.address)
        told: dict[str, str] | None = {} if self._keyed(request) else None
        metadata = self._metadata(request)
        message = await self._read(request, variables, caller)
        if caller.operator is not None and caller.kind is CallerKind.MEMBER:
            await shared.acts.tell(caller, self.route.operation_id, variables, request_id=request.id)

        async def call() -> bytes:
            with shared.admission.of(caller.organization):
                response: bytes = await self._peer.call_as(
                    shared.signer.token(self._peer.name, caller),
                    self._method,
                    message,
                    timeout=shared.limits.timeout_seconds,
                    metadata=metadata,
                    told=told,
                )
            return response

        try:
            if self._kept is not None:
                response, said = await self._kept.answer(caller, message, call)
                return self._answer(response, message, caller).having(said)
            response = await call()
        except AppError as error:
            if self._wrong_links is not None and error.kind is Kind.NOT_FOUND:
                self._wrong_links.count(request.address)
            raise self._pointing_at_input(error) from None
        answer = self._answer(response, message, caller)
        return answer.having(_REPLAYED) if told and IDEMPOTENCY_REPLAYED in told else answer

    def _keyed(self, request: Request) -> bool:
        return self.route.policy.idempotency_key and b"idempotency-key" in request.headers

    def _metadata(self, request: Request) -> list[tuple[str, str]]:
        """What of the headers the service hears."""
        metadata = [(REQUEST_ID, request.id)]
        if self.route.policy.rate_class == policy_pb2.RATE_CLASS_CREDENTIAL:
            metadata.append((USER_AGENT, _user_agent(request.headers.get(b"user-agent", b""))))
        if self._keyed(request):
            metadata.append((IDEMPOTENCY_KEY, _idempotency_key(request.headers[b"idempotency-key"])))
        return metadata

    async def _read(self, request: Request, variables: Sequence[str], caller: Caller) -> Message:
        body = await self._body(request) if self.route.body else b""
        message = self._reader.read(variables, request.query, body)
        if self._admit_subject is not None:
            await self._admit_subject(request, message)
        if self._pages is not None:
            self._pages.open(message, caller)
        self._versions.expect(message, request.headers.get(b"if-match"))
        return message

    async def _body(self, request: Request) -> bytes:
        limits = self._shared.limits
        body = await request.body(limit=limits.body_bytes, seconds=limits.body_seconds)
        if body or b"content-type" in request.headers:
            declared = request.headers.get(b"content-type", b"")
            encoded = request.headers.get(b"content-encoding", b"identity").lower() != b"identity"
            encoded |= request.headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked"
            if encoded or not self._body_type.fullmatch(declared):
                raise UnsupportedMediaType
        return body

    def _answer(self, response: bytes, asked: Message, caller: Caller) -> Answer:
        if self.route.status == NO_CONTENT:
            return Answer(NO_CONTENT, safe(()))
        if self._memo is not None:
            return Answer(self.route.status, self._headers, self._memo(response))
        shown = self._shown(response)
        if self._pages is not None:
            self._pages.seal(shown, asked, caller)
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
