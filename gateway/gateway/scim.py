"""The routes of SCIM 2.0: carried to auth and back as they are, refusals in SCIM's own form."""

from collections.abc import Sequence

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


def targets(auth: Peer, limits: LimitSettings, limiter: Limiter) -> list[tuple[str, str, Target]]:
    """Method, template and target of every route of SCIM, for the table of all routes."""
    handler = _Scim(auth, limits, limiter)
    return [
        (method, template, Target(template, handler, compressible=False))
        for template in _TEMPLATES
        for method in _METHODS
    ]


class _Scim:
    def __init__(self, auth: Peer, limits: LimitSettings, limiter: Limiter) -> None:
        self._auth = auth
        self._limiter = limiter
        self._limits = limits
        self._guesses = WrongLinks(limits)
        self._handle = auth.stub(scim_pb2_grpc.ScimServiceStub).HandleScim

    async def __call__(self, request: Request, variables: Sequence[str]) -> Answer:
        """The answer of auth, or a refusal."""
        try:
            return await self._forward(request, variables)
        except AppError as refusal:
            return _refused(refusal)

    async def _forward(self, request: Request, variables: Sequence[str]) -> Answer:
        self._guesses.refuse_guessing(request.address)
        await self._limiter.admit_token(request, _token(request))
        message = scim_pb2.HandleScimRequest(
            method="GET" if request.method == "HEAD" else request.method,
            segments=[_fitting(each, _LONGEST_SEGMENT) for each in variables],
            query=_fitting(request.query.decode("latin-1"), _LONGEST_QUERY),
            token=_token(request),
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
                self._guesses.count(request.address)
            raise
        headers: list[Header] = [(b"content-type", MEDIA_TYPE)] if told.body else []
        headers += [
            (name, value.encode())
            for name, value in ((b"etag", told.etag), (b"location", told.location))
            if value
        ]
        return Answer(told.status, safe(headers), told.body)

    async def _body(self, request: Request) -> bytes:
        most = min(_BODY_BYTES, self._limits.body_bytes)
        body = await request.body(limit=most, seconds=self._limits.body_seconds)
        kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if body and (kind not in _TAKEN or b"content-encoding" in request.headers):
            raise UnsupportedMediaType
        return body


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
    if RETRY_AFTER in refusal.metadata:
        headers.append((b"retry-after", refusal.metadata[RETRY_AFTER].encode()))
    return Answer(status, safe(headers), orjson.dumps(said))
