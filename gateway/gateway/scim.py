"""The routes of SCIM 2.0: carried to auth and back as they are, refusals in SCIM's own form."""

import hashlib
import time
from collections.abc import Callable, Sequence

import orjson

from comptoir.auth.v1 import scim_pb2, scim_pb2_grpc
from gateway.edge import Target
from gateway.errors import MalformedRequest, UnsupportedMediaType
from gateway.http import Answer, Header, Request, safe
from gateway.limits import Limiter
from gateway.settings import LimitSettings
from gateway.wrong_links import WrongLinks
from servicekit.errors import RETRY_AFTER, AppError, Kind
from servicekit.rpc.client import Peer

MEDIA_TYPE = b"application/scim+json"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_TEMPLATES = ("/scim/v2", "/scim/v2/{endpoint}", "/scim/v2/{endpoint}/{id}")
_TAKEN = (MEDIA_TYPE, b"application/json")
_BODY_BYTES = 512 * 1024
_LONGEST_TOKEN = 200
_LONGEST_CONDITION = 1000
_LONGEST_QUERY = 8000
_LONGEST_SEGMENT = 300
_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
_TYPES = {Kind.EXISTS: "uniqueness", Kind.INVALID: "invalidValue", Kind.UNPROCESSABLE: "invalidValue"}
_BAD_REQUEST, _UNPROCESSABLE = 400, 422
_RETRY_AFTER_SECONDS = "1"
_ACCEPTED_SECONDS = 900.0
_MOST_TOKENS = 10_000


def targets(auth: Peer, limits: LimitSettings, limiter: Limiter) -> list[tuple[str, str, Target]]:
    """Method, template and target of every route of SCIM, for the table of all routes."""
    handler = _Scim(auth, limits, limiter)
    return [
        (method, template, Target(template, handler, compressible=False))
        for template in _TEMPLATES
        for method in _METHODS
    ]


class AcceptedTokens:
    """Hashes of the tokens that auth took in the last quarter of an hour. All others may be guesses."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}

    def __contains__(self, token: str) -> bool:
        return self._until.get(_hashed(token), 0.0) > self._clock()

    def add(self, token: str) -> None:
        """Auth took it just now."""
        hashed = _hashed(token)
        self._until.pop(hashed, None)
        while len(self._until) >= _MOST_TOKENS:
            del self._until[next(iter(self._until))]  # the one that was not used for longest
        self._until[hashed] = self._clock() + _ACCEPTED_SECONDS

    def discard(self, token: str) -> None:
        """Auth does not take it any more."""
        self._until.pop(_hashed(token), None)


class _Scim:
    def __init__(self, auth: Peer, limits: LimitSettings, limiter: Limiter) -> None:
        self._auth = auth
        self._limiter = limiter
        self._limits = limits
        self._guesses = WrongLinks(limits)
        self._accepted = AcceptedTokens()
        self._handle = auth.stub(scim_pb2_grpc.ScimServiceStub).HandleScim

    async def __call__(self, request: Request, variables: Sequence[str]) -> Answer:
        """The answer of auth, or a refusal."""
        try:
            return await self._forward(request, variables)
        except AppError as refusal:
            return _refused(refusal)

    async def _forward(self, request: Request, variables: Sequence[str]) -> Answer:
        token = _token(request)
        await self._admit(request, token)
        self._guesses.refuse_guessing(request.address)
        message = scim_pb2.HandleScimRequest(
            method="GET" if request.method == "HEAD" else request.method,
            segments=[_fitting(each, _LONGEST_SEGMENT) for each in variables],
            query=_fitting(request.query.decode("latin-1"), _LONGEST_QUERY),
            token=token,
            if_match=_header(request, b"if-match"),
            if_none_match=_header(request, b"if-none-match"),
            body=await self._body(request),
            address=request.address[:64],
            request_id=request.id,
        )
        try:
            told = await self._auth.call(self._handle, message, timeout=self._limits.timeout_seconds)
        except AppError as refusal:
            if refusal.kind is Kind.UNAUTHENTICATED:
                self._accepted.discard(token)
                self._guesses.count(request.address)
            raise
        self._accepted.add(token)
        headers: list[Header] = [(b"content-type", MEDIA_TYPE)] if told.body else []
        headers += [
            (name, value.encode())
            for name, value in ((b"etag", told.etag), (b"location", told.location))
            if value
        ]
        return Answer(told.status, safe(headers), told.body)

    async def _admit(self, request: Request, token: str) -> None:
        """Counts the request before it costs anything. Raises RateLimited."""
        if not token:
            await self._limiter.admit_anonymous(request)
            return
        if token not in self._accepted:
            await self._limiter.admit_unvalidated(request)
        await self._limiter.admit_token(request, token)

    async def _body(self, request: Request) -> bytes:
        most = min(_BODY_BYTES, self._limits.body_bytes)
        body = await request.body(limit=most, seconds=self._limits.body_seconds)
        kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if body and (kind not in _TAKEN or b"content-encoding" in request.headers):
            raise UnsupportedMediaType
        return body


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    return token.strip().decode("latin-1")[:_LONGEST_TOKEN] if scheme.lower() == b"bearer" else ""


def _header(request: Request, name: bytes) -> str:
    return _fitting(request.headers.get(name, b"").decode("latin-1"), _LONGEST_CONDITION)


def _fitting(text: str, most: int) -> str:
    """The text, whole. Raises MalformedRequest when it is longer than the contract takes."""
    if len(text) > most:
        raise MalformedRequest
    return text


def _refused(refusal: AppError) -> Answer:
    """RFC 7644 §3.12, which knows no 422."""
    status = refusal.kind.http_status
    status = _BAD_REQUEST if status == _UNPROCESSABLE else status
    said = {"schemas": [_SCHEMA], "status": str(status), "detail": refusal.detail}
    if refusal.kind in _TYPES:
        said["scimType"] = _TYPES[refusal.kind]
    headers: list[Header] = [(b"content-type", MEDIA_TYPE)]
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b'Bearer realm="comptoir"'))
    wait = _RETRY_AFTER_SECONDS if refusal.kind is Kind.UNAVAILABLE else ""
    if wait := refusal.metadata.get(RETRY_AFTER, wait):
        headers.append((b"retry-after", wait.encode()))
    return Answer(status, safe(headers), orjson.dumps(said))
